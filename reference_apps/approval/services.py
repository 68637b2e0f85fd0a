"""The other services, asked through the gateway. Every call has a deadline, a breaker and a retry budget; silence, errors and nonsense come back as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from ctl.kit.breaker import Breaker, BudgetPolicy, Policy, RetryBudget
from ctl.kit.calls import Answer, NoAnswer
from reference_apps.approval.answers import FraudAnswer, IdentityAnswer, LoanAnswer, RecordAnswer, RiskAnswer, ShoppingAnswer
from reference_apps.approval.flow import questions
from reference_apps.approval.flow.model import Kind, Stage
from reference_apps.approval.model import Case, FraudSaid, IdentitySaid, LedgerSaid, Pulled, Said, StillPriced, Unavailable, Unusable

TRANSIENT = frozenset({408, 425, 429})
BUREAU, IDENTITY = "pboc", "identity"

Agreed = TypeVar("Agreed", bound=msgspec.Struct)


class Asking(Protocol):
    """What we need of the kit's calls."""

    async def get(self, service: str, path: str, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer: ...

    async def post(self, service: str, path: str, body: Any, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds to wait for an answer. The ledger gets more: while its books change hands, it holds requests instead of refusing them."""

    fraud_s: float = 2.0
    risk_s: float = 2.0
    evidence_s: float = 2.0
    ledger_s: float = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long we wait, when we stop asking, and how many questions we repeat."""

    timeouts: Timeouts = Timeouts()
    breaker: Policy = Policy()
    budget: BudgetPolicy = BudgetPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    service: str
    path: str
    timeout_s: float
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None


class Services:
    """Asks what a stage asks. `bureaus` names the service that has a source's data; a source without one has only what the applicant declared."""

    def __init__(self, calls: Asking, patience: Patience, bureaus: Mapping[str, str], clock_s: Callable[[], float] = monotonic) -> None:
        self._calls, self._bureaus, self._clock_s = calls, bureaus, clock_s
        self._timeouts, self._policy = patience.timeouts, patience.breaker
        self._breakers: dict[str, Breaker] = {}
        self._budget = RetryBudget(patience.budget)

    async def ask(self, case: Case, stage: Stage) -> Said:
        """Do what the case's stage asks for. Raises ValueError for a stage that asks no service."""
        match stage.kind:
            case Kind.FRAUD:
                return await self._fraud(case)
            case Kind.RISK:
                return await self._risk(case)
            case Kind.PRICING:
                return StillPriced() if case.priced == case.inputs else await self._risk(case)
            case Kind.IDENTITY:
                return await self._identity(case)
            case Kind.BUREAU:
                return await self._record(case)
            case Kind.TAOBAO | Kind.JD:
                return await self._shopping(case, stage.kind.value)
            case Kind.DISBURSE | Kind.WAIT | Kind.REVIEW | Kind.REPAIR:
                raise ValueError(f"stage {stage.name} of application {case.id} asks nobody")

    async def pay(self, case: Case, message: Mapping[str, Any]) -> Said:
        """Have the ledger pay out what is owed for a case, under the case's own key."""
        headers = {"idempotency-key": questions.disbursement_key(case.id)}
        question = _Question(service="ledger", path="/v1/loans", body=message, timeout_s=self._timeouts.ledger_s, headers=headers)
        answer = _understood(LoanAnswer, "ledger", await self._put(question, case))
        if not isinstance(answer, LoanAnswer):
            return answer
        if answer.principal_fen != message["principal_fen"]:
            return Unusable("ledger", f"it paid out {answer.principal_fen} fen instead of {message['principal_fen']}")
        return LedgerSaid(answer.loan_id)

    async def _fraud(self, case: Case) -> Said:
        question = _Question(service="fraud", path="/v1/checks", body=questions.fraud_question(case), timeout_s=self._timeouts.fraud_s)
        answer = _understood(FraudAnswer, "fraud", await self._put(question, case))
        return FraudSaid(answer.verdict, answer.case) if isinstance(answer, FraudAnswer) else answer

    async def _risk(self, case: Case) -> Said:
        question = _Question(service="risk", path="/v1/decisions", body=questions.risk_question(case), timeout_s=self._timeouts.risk_s)
        answer = _understood(RiskAnswer, "risk", await self._put(question, case))
        return answer.to_said() if isinstance(answer, RiskAnswer) else answer

    async def _identity(self, case: Case) -> Said:
        pulled = await self._pulled(case, IDENTITY, "identity", IdentityAnswer)
        return IdentitySaid(pulled.verdict) if isinstance(pulled, IdentityAnswer) else Unavailable("identity", "nobody could confirm it")

    async def _record(self, case: Case) -> Said:
        pulled = await self._pulled(case, BUREAU, "credit-record", RecordAnswer)
        return Pulled("pboc_record", pulled.pboc_record if isinstance(pulled, RecordAnswer) else case.application["evidence"]["pboc_record"])

    async def _shopping(self, case: Case, shop: str) -> Said:
        pulled = await self._pulled(case, shop, "shopping", ShoppingAnswer)
        return Pulled(shop, msgspec.structs.asdict(pulled) if isinstance(pulled, ShoppingAnswer) else case.application["evidence"][shop])

    async def _pulled(self, case: Case, source: str, what: str, agreed: type[Agreed]) -> Agreed | None:
        """Return what a source's service says of the customer; None when there is none, it fails, or it talks nonsense."""
        bureau = self._bureaus.get(source)
        if not bureau:
            return None
        path = f"/v1/customers/{quote(case.application['customer']['id'], safe='')}/{what}"
        said = await self._put(_Question(service=bureau, path=path, timeout_s=self._timeouts.evidence_s), case)
        answer = _understood(agreed, "evidence", said)
        return answer if isinstance(answer, agreed) else None

    async def _put(self, question: _Question, case: Case) -> Answer | Unavailable:
        """Ask, if the breaker and the budget let us. A question that the budget holds back does not count as an attempt."""
        now_s, service = self._clock_s(), question.service
        if case.attempts == 0:
            self._budget.earn()
        elif not self._budget.spend(now_s):
            return Unavailable(service, "too much is being asked again; this waits its turn", counts=False)
        breaker = self._breakers.get(service) or self._breakers.setdefault(service, Breaker(self._policy))
        permit = breaker.ask(now_s)
        if permit is None:
            return Unavailable(service, f"it has failed too often; it is asked again in {breaker.open_for_s(now_s):.1f} s")
        try:
            if question.body is None:
                answer = await self._calls.get(service, question.path, timeout_s=question.timeout_s)
            else:
                answer = await self._calls.post(service, question.path, question.body, timeout_s=question.timeout_s, headers=question.headers)
        except NoAnswer as error:
            breaker.failed(permit, self._clock_s())
            return Unavailable(service, error.why)
        except BaseException:  # whoever asked went away: nothing is known of the service
            breaker.dropped(permit)
            raise
        if answer.status >= 500 or answer.status in TRANSIENT:
            breaker.failed(permit, self._clock_s())
        else:
            breaker.succeeded(permit)
        return answer


def _understood(agreed: type[Agreed], service: str, said: Answer | Unavailable) -> Agreed | Unavailable | Unusable:
    """Read an answer. Errors of the service are temporary; a refusal, or an answer that is not what was agreed, is not."""
    if isinstance(said, Unavailable):
        return said
    if said.status >= 500 or said.status in TRANSIENT:
        return Unavailable(service, f"it answered {said.status}")
    if not said.is_ok:
        return Unusable(service, f"it refused with {said.status}: {_detail(said.body)}")
    try:
        return msgspec.convert(said.body, agreed)
    except msgspec.ValidationError as error:
        return Unusable(service, f"its answer makes no sense: {error}")


def _detail(body: Any) -> str:
    return str(body.get("detail", body) if isinstance(body, dict) else body)[:300]
