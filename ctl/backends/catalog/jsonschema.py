"""The JSON Schema of a service file, for editors: made from the same models that read the files, so it cannot say anything else.

Written anew by `python -m ctl.backends.catalog.jsonschema catalog/schema/service.schema.json`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from ctl.backends.catalog.fields import ServiceFile


def service_schema() -> str:
    """Return the schema as the text of its file."""
    made = _without_null(ServiceFile.model_json_schema())
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "A service of the catalog"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _without_null(node: Any) -> Any:
    """Take out what stands for a field that is left out: a value that is written is never null."""
    if isinstance(node, list):
        return [_without_null(each) for each in node if each != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    kept = {name: _without_null(each) for name, each in node.items() if not (name == "default" and each is None)}
    choices = kept.get("anyOf", [])
    return {**{name: each for name, each in kept.items() if name != "anyOf"}, **choices[0]} if len(choices) == 1 else kept


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(service_schema(), encoding="utf-8")
