"""The other services, asked through the gateway. Every call has a deadline; silence, errors and nonsense come back as values."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from ctl.kit.calls import Answer, NoAnswer
from reference_apps.approval import flow
from reference_apps.approval.bodies import FraudAnswer, LoanAnswer, RiskAnswer, ShoppingAnswer
from reference_apps.approval.model import Case, EvidenceSaid, FraudSaid, LedgerSaid, Said, Stage, Unavailable, Unusable

TRANSIENT = frozenset({408, 425, 429})

Model = TypeVar("Model", bound=BaseModel)


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


class Services:
    """Asks what a case needs next. `bureaus` names the service that has a shop's data; a shop without one has only what the applicant declared."""

    def __init__(self, calls: Asking, timeouts: Timeouts, bureaus: Mapping[str, str]) -> None:
        self._calls, self._timeouts, self._bureaus = calls, timeouts, bureaus

    async def ask(self, case: Case) -> Said:
        """Do what the case's stage asks for. Raises ValueError for a case that has nothing to ask."""
        match case.stage:
            case Stage.FRAUD:
                return await self._fraud(case)
            case Stage.RISK:
                return await self._risk(case)
            case Stage.EVIDENCE:
                return await self._evidence(case)
            case Stage.DISBURSE:
                return await self._disburse(case)
            case Stage.DONE:
                raise ValueError(f"application {case.id} is done: there is nothing to ask")

    async def _fraud(self, case: Case) -> Said:
        said = await self._post("fraud", "/v1/checks", flow.fraud_question(case), self._timeouts.fraud_s)
        answer = _understood(FraudAnswer, "fraud", said)
        return FraudSaid(answer.verdict) if isinstance(answer, FraudAnswer) else answer

    async def _risk(self, case: Case) -> Said:
        said = await self._post("risk", "/v1/decisions", flow.risk_question(case), self._timeouts.risk_s)
        answer = _understood(RiskAnswer, "risk", said)
        return answer.to_said() if isinstance(answer, RiskAnswer) else answer

    async def _disburse(self, case: Case) -> Said:
        headers = {"idempotency-key": flow.disbursement_key(case)}
        said = await self._post("ledger", "/v1/loans", flow.ledger_question(case), self._timeouts.ledger_s, headers)
        answer = _understood(LoanAnswer, "ledger", said)
        if not isinstance(answer, LoanAnswer):
            return answer
        if answer.principal_fen != case.amount_fen:
            return Unusable("ledger", f"it paid out {answer.principal_fen} fen instead of {case.amount_fen}")
        return LedgerSaid(answer.loan_id)

    async def _evidence(self, case: Case) -> Said:
        found = await asyncio.gather(*(self._shopping(case, shop) for shop in flow.SHOPS))
        return EvidenceSaid({shop: each for shop, each in zip(flow.SHOPS, found, strict=True) if each is not None})

    async def _shopping(self, case: Case, shop: str) -> Mapping[str, Any] | None:
        """Return a shop's data: what its bureau says, else what the applicant declared, else None."""
        declared: Mapping[str, Any] | None = case.application["evidence"][shop]
        bureau = self._bureaus.get(shop)
        if not bureau:
            return declared
        try:
            path = f"/v1/customers/{quote(case.application['customer']['id'], safe='')}/shopping"
            answer = await self._calls.get(bureau, path, timeout_s=self._timeouts.evidence_s)
        except NoAnswer:
            return declared
        pulled = _understood(ShoppingAnswer, "evidence", answer)
        return pulled.model_dump() if isinstance(pulled, ShoppingAnswer) else declared

    async def _post(self, service: str, path: str, body: Mapping[str, Any], timeout_s: float, headers: Mapping[str, str] | None = None) -> Answer | Unavailable:
        try:
            return await self._calls.post(service, path, body, timeout_s=timeout_s, headers=headers)
        except NoAnswer as error:
            return Unavailable(service, error.why)


def _understood(model: type[Model], service: str, said: Answer | Unavailable) -> Model | Unavailable | Unusable:
    """Read an answer. Errors of the service are temporary; a refusal, or an answer that is not what was agreed, is not."""
    if isinstance(said, Unavailable):
        return said
    if said.status >= 500 or said.status in TRANSIENT:
        return Unavailable(service, f"it answered {said.status}")
    if not said.is_ok:
        return Unusable(service, f"it refused with {said.status}: {_detail(said.body)}")
    try:
        return model.model_validate(said.body)
    except ValidationError as error:
        return Unusable(service, f"its answer makes no sense: {error.errors()[0]['msg']} at {error.errors()[0]['loc']}")


def _detail(body: Any) -> str:
    return str(body.get("detail", body) if isinstance(body, dict) else body)[:300]
