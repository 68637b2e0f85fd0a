"""How a service is rolled, as it is written: every field may be left out, so that layers can lie over each other."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from ctl.backends.catalog.values import Percent, Seconds, Several, ShareOf, SomeSeconds, Weight
from ctl.model.service import CanaryStep, Gate, OnDeadline, OnDrift, RolloutPolicy, Share, Strategy

POLICY, GATE, STEP = RolloutPolicy(), Gate(), CanaryStep(weight_pct=1)
TIER_0 = replace(POLICY, unavailable=Share(value=0, percent=True))


class Strict(BaseModel):
    """A mapping of the catalog: only known fields, and no value is bent into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def given(self) -> dict[str, Any]:
        """Return the fields that are written, as they are."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class StepFile(Strict):
    """One step of a canary ladder; a plain number is its weight."""

    weight_pct: Weight = Field(description="Percent of the traffic that the new release gets in this step.")
    step_s: SomeSeconds = Field(
        default=STEP.step_s, description="How long evidence is collected before the next step. Default: step_s of the rollout, else 60."
    )
    pause: bool = Field(default=STEP.pause, description="Wait for a person (msxfctl promote) instead of going on by the evidence.")

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, given: Any) -> Any:
        return {"weight_pct": given} if isinstance(given, int) and not isinstance(given, bool) else given

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        whole = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 100}, dict(whole)], "description": whole["description"]}

    def to_model(self, usual_s: float | None) -> CanaryStep:
        step_s = self.step_s if usual_s is None or "step_s" in self.model_fields_set else usual_s
        return CanaryStep(weight_pct=self.weight_pct, step_s=step_s, pause=self.pause)


class GateFile(Strict):
    """The limits of the verdict: the new release against the stable one, window by window."""

    window_s: SomeSeconds = Field(default=GATE.window_s, description="Length of one window, in seconds.")
    max_error_pct: Percent = Field(default=GATE.max_error_pct, description="A window fails above this error rate, where the stable release has a lower one.")
    max_p99_ratio: Annotated[float, Field(ge=1, le=1000)] = Field(
        default=GATE.max_p99_ratio, description="A window fails when p99 is above so many times the stable's."
    )
    min_p99_ms: Seconds = Field(default=GATE.min_p99_ms, description="A p99 below this many milliseconds never fails a window.")
    min_requests: Annotated[int, Field(ge=1)] = Field(default=GATE.min_requests, description="Windows with fewer requests are no evidence.")
    failure_limit: Annotated[int, Field(ge=0)] = Field(default=GATE.failure_limit, description="So many failed windows are borne in the whole rollout.")


class RolloutFile(Strict):
    """How a new release replaces the old one. Times in seconds; surge and unavailable as instances (1) or as a share (25%)."""

    strategy: Annotated[Strategy, Field(strict=False)] = Field(default=POLICY.strategy, description="rolling, canary (by steps of weight) or blue-green.")
    surge: ShareOf = Field(default=POLICY.surge, description="How many more instances than wanted there may be on the way.")
    unavailable: ShareOf = Field(
        default=POLICY.unavailable,
        description="How many fewer available instances than wanted there may be on the way; tier 0: none.",
    )
    min_ready_s: Seconds = Field(default=POLICY.min_ready_s, description="An instance counts once it has been ready for so long without a break.")
    healthy_deadline_s: Seconds = Field(
        default=POLICY.healthy_deadline_s, description="An instance that is not ready by then counts against the rollout; 0: never."
    )
    progress_deadline_s: Seconds = Field(
        default=POLICY.progress_deadline_s, description="The rollout gives up after so long without progress; 0: at the first unhealthy instance."
    )
    drain_s: Seconds = Field(default=POLICY.drain_s, description="So long may an instance finish its requests before it is stopped.")
    bake_s: Seconds = Field(default=POLICY.bake_s, description="So long is the new release watched at 100 % before it is certified.")
    abort_scale_down_delay_s: Seconds = Field(
        default=POLICY.abort_scale_down_delay_s, description="So long do the instances of an aborted release stay for a look."
    )
    scale_down_delay_s: Seconds = Field(default=POLICY.scale_down_delay_s, description="Blue-green: so long do the old instances stay after the switch.")
    on_deadline: Annotated[OnDeadline, Field(strict=False)] = Field(
        default=POLICY.on_deadline, description="What happens without progress: abort, or hold for a person."
    )
    on_drift: Annotated[OnDrift, Field(strict=False)] = Field(
        default=POLICY.on_drift, description="What happens when a model of the live release has drifted: ignore, tell (and hold promotions), or rollback."
    )
    drift_min_n: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=POLICY.drift_min_n, description="A drift that rests on fewer decisions than this is shown, and nothing follows."
    )
    step_s: SomeSeconds = Field(default=STEP.step_s, description="The time of every step of the ladder that does not say its own.")
    steps: list[StepFile] = Field(default=[], max_length=50, description="Canary: the ladder, e.g. [5, 25, 50]; the weights rise.")
    gate: GateFile = Field(default_factory=GateFile, description="When the new release is worse than the stable one.")
    max_total: Several | None = Field(default=None, description="Never more instances than this, old and new together.")

    def over(self, policy: RolloutPolicy) -> RolloutPolicy:
        """Lay what is written here over `policy`; step_s without steps sets the time of the steps that are there."""
        given = self.given()
        step_s = given.pop("step_s", None)
        if "steps" in given:
            given["steps"] = tuple(step.to_model(step_s) for step in self.steps)
        elif step_s is not None:
            given["steps"] = tuple(replace(step, step_s=step_s) for step in policy.steps)
        if "gate" in given:
            given["gate"] = replace(policy.gate, **self.gate.given())
        return replace(policy, **given) if given else policy


def resolve(tier: int, layers: Iterable[RolloutFile | None]) -> RolloutPolicy:
    """Return the policy of a service: the defaults of its tier, then each layer over the one before."""
    policy = TIER_0 if tier == 0 else POLICY
    for layer in layers:
        policy = layer.over(policy) if layer is not None else policy
    return policy
