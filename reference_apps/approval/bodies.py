"""What an applicant may send: checked at the door, not trusted."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from reference_apps.approval.desk.bodies import PersonId

Key = Annotated[str, Field(min_length=1, max_length=100)]
Fen = Annotated[StrictInt, Field(ge=0, le=10**13)]


class Body(BaseModel):
    """What every body of an applicant has in common: a field we do not know is a mistake, not something to ignore."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Customer(Body):
    id: Key
    name: Key
    age: Annotated[StrictInt, Field(ge=0, le=130)]
    phone: Annotated[str, Field(pattern=r"^\+?[0-9]{5,20}$")]


class Shopping(Body):
    """What a shop knows of the customer, over twelve months."""

    orders_12m: Annotated[StrictInt, Field(ge=0, le=100_000)]
    spend_12m_fen: Fen


class Evidence(Body):
    """What the applicant brings along; None means unknown. Taobao and JD are looked at only where the flow asks for them."""

    zhima_score: Annotated[StrictInt, Field(ge=350, le=950)] | None = None
    pboc_record: Literal["good", "ordinary", "none", "bad"] | None = None
    taobao: Shopping | None = None
    jd: Shopping | None = None


class ApplicationBody(Body):
    """An application. `amount_fen` None: as much as is offered; else the loan is this or the limit, whichever is less."""

    customer: Customer
    device: Key
    contacts: Annotated[tuple[Key, ...], Field(max_length=20)] = ()
    amount_fen: Annotated[StrictInt, Field(gt=0, le=10**13)] | None = None
    periods: Annotated[StrictInt, Field(ge=1, le=60)] = 12
    evidence: Evidence = Evidence()
    other_debt_fen: Fen = 0
    consent: Literal[True] = Field(description="the applicant agrees to the checks and to the loan at the offered rate")
    tenant: str = Field(default="default", pattern="^[a-z0-9_]{1,32}$")
    agent: PersonId | None = Field(default=None, description="who of the staff brings it in; they may not decide it")

    def asked(self) -> dict[str, Any]:
        """Return the application as it is kept; one without an agent says nothing of agents, so that its hash is what it was before there were any."""
        said = self.model_dump(mode="json")
        return said if self.agent else {name: value for name, value in said.items() if name != "agent"}


class SupplementBody(Body):
    """What an applicant brings when asked: only what is given changes, the rest stays as it was declared. `documents` are references, not content."""

    evidence: Evidence = Evidence()
    documents: Annotated[tuple[Key, ...], Field(max_length=20)] = ()
    agent: PersonId | None = Field(default=None, description="who of the staff brings it in for the applicant; they may not decide the case")
    consent: Literal[True] = Field(description="the applicant agrees that the checks are made again with this")

    @model_validator(mode="after")
    def brings_something(self) -> "SupplementBody":
        if self.evidence == Evidence() and not self.documents:
            raise ValueError("this brings nothing; name some evidence or a document")
        return self


class MigrationBody(Body):
    """Where a case is to be moved: a published version of its flow; left out, the newest."""

    version: Annotated[StrictInt, Field(ge=1)] | None = None
