"""The small types of catalog fields: what fits, what does not and why, and what an editor is told about it."""

import re
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ctl.model.service import Share

NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
PATH = r"^/[^\s?#]*$"
KEY = r"^[a-z][a-z0-9_.-]*$"
INSIDE = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$"
EXPLAINED = {
    NAME: "use lower-case letters, digits and single dashes, e.g. sms-gateway",
    PATH: "begin with / and leave blanks, ? and # out, e.g. /healthz",
    KEY: "use lower-case letters, digits, dots, dashes and underscores, e.g. price.table",
    INSIDE: "give a path inside the project, e.g. reference_apps/risk",
}
"""What each pattern asks for, in words: a remedy says that, not the pattern."""

_SHARE = re.compile(r"([0-9]{1,3}) ?%")
MOST_INSTANCES = 10_000


def _share(given: Any) -> Share:
    percent = _SHARE.fullmatch(given) if isinstance(given, str) else None
    if percent and int(percent[1]) <= 100:
        return Share(value=int(percent[1]), percent=True)
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= MOST_INSTANCES:
        return Share(value=given)
    raise mistake("is no share of the instances", "write a number of instances, e.g. 1, or a percentage from 0% to 100%, e.g. 25%")


def mistake(message: str, remedy: str) -> PydanticCustomError:
    """Return a validation error in our own words; the message follows the value as it was written."""
    return PydanticCustomError("mistake", "{message}", {"message": message, "remedy": remedy})


Name = Annotated[str, Field(pattern=NAME, max_length=40)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
UrlPath = Annotated[str, Field(pattern=PATH, max_length=200)]
ConfigKey = Annotated[str, Field(pattern=KEY, max_length=80)]
Inside = Annotated[str, Field(pattern=INSIDE, max_length=200)]
Seconds = Annotated[float, Field(ge=0, le=604_800)]
SomeSeconds = Annotated[float, Field(gt=0, le=604_800)]
Percent = Annotated[float, Field(ge=0, le=100)]
Weight = Annotated[int, Field(ge=1, le=100)]
Count = Annotated[int, Field(ge=0, le=MOST_INSTANCES)]
Several = Annotated[int, Field(ge=1, le=MOST_INSTANCES)]
Rate = Annotated[int, Field(ge=1, le=1_000_000)]
PortNumber = Annotated[int, Field(ge=0, le=65535)]
SHARE_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": MOST_INSTANCES}, {"type": "string", "pattern": "^(100|[0-9]{1,2}) ?%$"}]}
ShareOf = Annotated[Share, PlainValidator(_share), PlainSerializer(str, return_type=str), WithJsonSchema(SHARE_SCHEMA)]
