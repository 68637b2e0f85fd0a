"""What risk may be asked, checked at the door; what the package has to say about values is checked against its input schema."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from ctl.kit.problem import Problem
from reference_apps.risk.packages.checks import misfit
from reference_apps.risk.packages.model import Package
from reference_apps.risk.variables.resolving import DECLARED

Fen = Annotated[StrictInt, Field(ge=0, le=10**13)]
Given = StrictBool | Annotated[StrictInt, Field(ge=-(2**53), le=2**53)] | Annotated[StrictFloat, Field(allow_inf_nan=False)]
Value = Given | Annotated[StrictStr, Field(max_length=256)] | None
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class Body(BaseModel):
    """What every body has in common: a field we do not know is a mistake, not something to ignore."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shopping(Body):
    """What a shop knows of the customer, over twelve months."""

    orders_12m: Annotated[StrictInt, Field(ge=0, le=100_000)]
    spend_12m_fen: Fen


class DecisionBody(Body):
    """The question: who asks for what, and what is known; None means unknown. `variables` are further ones of the package, by name."""

    application_id: str = Field(min_length=1, max_length=128)
    tenant: str = Field(default="default", pattern="^[a-z0-9_]{1,32}$")
    customer_id: str = Field(min_length=1, max_length=128)
    scene: Annotated[str, Field(max_length=64)] | None = None
    age: Annotated[StrictInt, Field(ge=0, le=130)]
    zhima_score: Annotated[StrictInt, Field(ge=350, le=950)] | None = None
    pboc_record: Literal["good", "ordinary", "none", "bad"] | None = None
    taobao: Shopping | None = None
    jd: Shopping | None = None
    other_debt_fen: Fen = 0
    amount_fen: Annotated[StrictInt, Field(gt=0, le=10**13)] | None = None
    periods: Annotated[StrictInt, Field(ge=1, le=60)] = 12
    variables: Annotated[dict[Name, Value], Field(max_length=500)] = {}

    def declared(self) -> dict[str, Any]:
        """Return what was declared, by field; `variables` come first."""
        return declared(self.model_dump())


def declared(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a body's document declares, by field; its `variables` come first."""
    return {**asked, **asked["variables"]}


def scene_of(body: DecisionBody, package: Package) -> str:
    """Return the scene that is meant. Raises Problem (422) for one that the package does not know."""
    scene = body.scene or package.router.default_scene
    if scene not in package.router.scenes:
        raise refusal("scene", f"there is no scene {scene!r}", f"use one of {', '.join(package.router.scenes)}")
    return scene


def check_named(named: Mapping[str, Any], package: Package) -> None:
    """Refuse named variables that the package does not have, or not with such values. Raises Problem (422) naming field, value and remedy."""
    if not named:
        return
    fields = {source.field: each for each in package.variables.values() for source in each.sources if source.origin == DECLARED}
    for name, value in named.items():
        if name not in fields:
            raise refusal(f"variables.{name}", "the package in force has no such variable", "GET /v1/package lists them")
        if value is not None and (why := misfit(fields[name], value)):
            raise refusal(f"variables.{name}", why, "GET /v1/package says what it may be")


def refusal(field: str, problem: str, remedy: str) -> Problem:
    """Return the refusal of one field."""
    errors = [{"field": field, "problem": problem}]
    return Problem(422, "bad_input", f"{field}: {problem}", remedy=f"{remedy}; nothing was decided", errors=errors)
