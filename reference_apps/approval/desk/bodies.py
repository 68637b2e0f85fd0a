"""What a reviewer may send to the desk, checked at the door."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, model_validator

from reference_apps.approval.desk import words
from reference_apps.approval.desk.papers import Attachment
from reference_apps.approval.desk.tasks import Outcome, Ruling

MOST_TEXT = 4_000

PERSON_ID = re.compile("^[a-z0-9][a-z0-9._-]{0,63}$")
PersonId = Annotated[str, Field(pattern=PERSON_ID.pattern)]


def _unbroken(text: str) -> str:
    """Refuse text that no database and no page takes: half a character (a lone surrogate), or a NUL."""
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("must be whole characters without NUL")
    return text


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_unbroken)]
Text = Annotated[str, Field(max_length=MOST_TEXT), AfterValidator(_unbroken)]


class Body(BaseModel):
    """What all bodies have in common: a field we do not know is a mistake; spaces around a text mean nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class DelegateBody(Body):
    to: PersonId


class DecideBody(Body):
    """A decision on the task as it was seen (`version`). A rejection or return says why, by a code of the outcome and in words."""

    outcome: Literal["approve", "reject", "return"]
    version: Annotated[StrictInt, Field(ge=1)]
    code: Annotated[str, Field(max_length=64)] = ""
    text: Text = ""

    @model_validator(mode="after")
    def _with_a_reason(self) -> "DecideBody":
        known = words.codes(Outcome(self.outcome))
        if known and self.code not in known:
            raise ValueError(f"to {self.outcome} needs one of the reason codes {', '.join(known)}; found {self.code!r}")
        if known and not self.text:
            raise ValueError(f"to {self.outcome} needs a text that says why")
        if not known and self.code:
            raise ValueError(f"to {self.outcome} takes no reason code; found {self.code!r}")
        return self

    def to_model(self) -> Ruling:
        return Ruling(outcome=Outcome(self.outcome), version=self.version, code=self.code, text=self.text)


class NoteBody(Body):
    text: Annotated[Text, Field(min_length=1)]


class AttachmentBody(Body):
    """Where a paper lies (a URL or a document store's key), never the paper itself."""

    name: Line
    media_type: Annotated[str, Field(pattern=r"^[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,100}$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reference: Annotated[str, Field(pattern=r"^[!-~]{1,500}$", description="no spaces; printable ASCII")]

    def to_model(self, person: str, now_ms: int) -> Attachment:
        return Attachment(at_ms=now_ms, person=person, **self.model_dump())
