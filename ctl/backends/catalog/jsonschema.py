"""The JSON Schema of a service file, for editors: made from the same models that read the files, so it cannot say anything else.

Written anew by `python -m ctl.backends.catalog.jsonschema catalog/schema/service.schema.json`.
"""

import json
import sys
from pathlib import Path

from ctl.backends.catalog.fields import ServiceFile


def service_schema() -> str:
    """Return the schema as the text of its file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ServiceFile.model_json_schema(), "title": "A service of the catalog"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(service_schema(), encoding="utf-8")
