"""The four bureaus as HTTP clients: each with its path, its form, its deadline and its breaker.

Silence, errors, lies and nonsense come back as values, never as crashes.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Annotated, Any, Literal, Protocol
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from ctl.kit.breaker import Breaker, Policy
from ctl.kit.calls import Answer, NoAnswer
from reference_apps.risk.variables.resolving import Answered, Failed, Said

SERVER_ERROR = 500
Fen = Annotated[StrictInt, Field(ge=0, le=10**13)]
Count = Annotated[StrictInt, Field(ge=0, le=100_000)]


class Asking(Protocol):
    """What we need of the kit's calls."""

    async def get(self, service: str, path: str, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer: ...


class Report(BaseModel):
    """What all answers have in common: whom they are about and of when they are. More than we need is welcome, less is not."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    customer_id: StrictStr
    as_of: AwareDatetime


class PbocReport(Report):
    record: Literal["good", "ordinary", "none", "bad"]
    other_debt_fen: Fen = 0
    queries_6m: Count = 0


class ZhimaReport(Report):
    score: Annotated[StrictInt, Field(ge=350, le=950)]


class ShoppingReport(Report):
    orders_12m: Count
    spend_12m_fen: Fen


@dataclass(frozen=True, slots=True)
class Bureau:
    """How a bureau is asked, and what it means when it does not know the customer (empty: nothing is known of him)."""

    path: str
    report: type[Report]
    unknown: Mapping[str, Any]


BUREAUS: Mapping[str, Bureau] = {
    "pboc": Bureau("/v1/customers/{}/credit-record", PbocReport, {"record": "none"}),
    "zhima": Bureau("/v1/customers/{}/score", ZhimaReport, {}),
    "taobao": Bureau("/v1/customers/{}/shopping", ShoppingReport, {}),
    "jd": Bureau("/v1/customers/{}/shopping", ShoppingReport, {}),
}


class Bureaus:
    """Asks the bureaus that the configuration names (bureau -> service), each within its deadline, all at the same time.

    One that is silent or fails time after time is not asked for a while: decisions do not wait for what will not come.
    """

    def __init__(self, calls: Asking, services: Mapping[str, str], timeouts_s: Mapping[str, float], clock_s: Callable[[], float] = monotonic) -> None:
        self._calls, self._services, self._timeouts_s, self._clock_s = calls, services, timeouts_s, clock_s
        self._breakers = {name: Breaker(Policy()) for name in services}
        self.configured = frozenset(services)

    async def ask(self, names: frozenset[str], customer: str, now: datetime) -> dict[str, Said]:
        """Ask about a customer; every bureau asked is in the answer."""
        ordered = sorted(names)
        said = await asyncio.gather(*(self._ask(name, customer, now) for name in ordered))
        return dict(zip(ordered, said, strict=True))

    async def _ask(self, name: str, customer: str, now: datetime) -> Said:
        breaker = self._breakers[name]
        permit = breaker.ask(self._clock_s())
        if permit is None:
            return Failed(f"it has failed too often; it is asked again in {breaker.open_for_s(self._clock_s()):.1f} s")
        try:
            path = BUREAUS[name].path.format(quote(customer, safe=""))
            answer = await self._calls.get(self._services[name], path, timeout_s=self._timeouts_s[name])
        except NoAnswer as error:
            breaker.failed(permit, self._clock_s())
            return Failed(error.why)
        except BaseException:
            breaker.dropped(permit)
            raise
        if answer.status >= SERVER_ERROR:
            breaker.failed(permit, self._clock_s())
        else:
            breaker.succeeded(permit)
        return understood(BUREAUS[name], customer, answer, now)


def understood(bureau: Bureau, customer: str, answer: Answer, now: datetime) -> Said:
    """Read an answer: 404 is knowledge, everything else that is not exactly what was agreed is a failure."""
    if answer.status == 404 and isinstance(answer.body, dict) and answer.body.get("code") == "customer_unknown":
        return Answered(bureau.unknown, now)
    if not answer.is_ok:
        return Failed(f"it answered {answer.status}")
    try:
        report = bureau.report.model_validate(answer.body)
    except ValidationError as error:
        first = error.errors()[0]
        return Failed(f"its answer makes no sense: {'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}")
    if report.customer_id != customer:
        return Failed("its answer is about somebody else")
    return Answered(report.model_dump(exclude={"customer_id", "as_of"}), report.as_of)
