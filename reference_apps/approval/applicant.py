"""A case as its applicant may see it: where it stands, why in plain words, what can be brought, when to try again. Pure; what fraud knows stays inside."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reference_apps.approval.flow.model import Flow, Kind
from reference_apps.approval.model import Case, Reason, Status

Json = dict[str, Any]

RETRY_DAYS = 30
REFER = frozenset({"too_old", "amount_too_small", "term_too_long"})
"""Reasons that time does not heal: somebody should advise on another product."""

INSIDE = ("fraud", "identity", "blacklist", "stage_skipped", "flow")
OURS = ("_unavailable", "_unusable")

DECLINED = Reason("declined", "We cannot offer this loan at present.", "很抱歉,目前无法为您提供该贷款。")
CHECKING = Reason("checking", "We are checking the application.", "我们正在审核您的申请。")
DELAYED = Reason("delayed", "It takes a little longer on our side.", "由于我方原因,处理需要稍长时间。")

STATES = {
    Status.RUNNING: ("in_progress", "The application is being worked on.", "申请处理中。"),
    Status.WAITING: ("in_progress", "The application goes on by itself; there is nothing to do.", "申请将自动继续处理,无需操作。"),
    Status.MANUAL: ("with_reviewer", "One of us looks at the application.", "申请正在人工审核。"),
    Status.REJECTED: ("declined", "The application was not approved.", "申请未获批准。"),
    Status.DISBURSED: ("paid", "The loan is paid out.", "贷款已发放。"),
}
NEEDED = ("needs_you", "We need something from you to go on.", "需要您补充资料后才能继续。")

ASKS = {
    "zhima_score": ("your Zhima score", "芝麻信用分"),
    "pboc_record": ("your credit record at the central bank", "央行征信记录"),
    "taobao": ("your Taobao orders of the last twelve months", "近12个月淘宝订单"),
    "jd": ("your JD orders of the last twelve months", "近12个月京东订单"),
    "document": ("a document, by reference (identity card, proof of income)", "证明文件(身份证、收入证明等)的编号"),
}


def view(case: Case, flow: Flow) -> Json:
    """Return what the applicant is shown."""
    asks = _asks(case, flow)
    state, en, zh = NEEDED if asks else STATES[case.status]
    rejected = case.status is Status.REJECTED
    refers = rejected and any(reason.code in REFER for reason in case.reasons)
    return {
        "application_id": case.id,
        "status": state,
        "said": {"en": en, "zh": zh},
        "reasons": [{"code": reason.code, "en": reason.en, "zh": reason.zh} for reason in _told(case)],
        "supplement": _supplement(case, flow, asks) if asks else None,
        "retry_on": _retry_on(case) if rejected and not refers else None,
        "refer": {"en": "Our staff will gladly advise you on other products.", "zh": "欢迎咨询客服了解其他产品。"} if refers else None,
        "amount_fen": case.amount_fen if case.status is Status.DISBURSED else None,
        "loan_id": case.loan_id,
        "updated_at": datetime.fromtimestamp(case.updated_ms / 1000, UTC).isoformat(timespec="seconds"),
    }


def supplemented(case: Case, brought: Mapping[str, Any], key: str) -> Json | None:
    """Return the application with what was brought, None when it was brought before under this key. What is not named stays as it was declared."""
    before = case.application
    if key in before.get("supplied", ()):
        return None
    return {
        **before,
        "evidence": {**before["evidence"], **brought["evidence"]},
        "documents": [*before.get("documents", ()), *brought["documents"]],
        "supplied": [*before.get("supplied", ()), key],
        "editors": list(dict.fromkeys([*before.get("editors", ()), *([brought["agent"]] if brought.get("agent") else [])])),
    }


def _told(case: Case) -> list[Reason]:
    """Return the reasons in the applicant's words: what is ours to solve and what only we may know is not spelt out."""
    if case.status in (Status.RUNNING, Status.DISBURSED):
        return [reason for reason in case.reasons if not _is_inside(reason.code)]
    rejected = case.status is Status.REJECTED
    plain = [(DECLINED if rejected else CHECKING) if _is_inside(each.code) else DELAYED if each.code.endswith(OURS) else each for each in case.reasons]
    return list(dict.fromkeys(plain)) or ([DECLINED] if rejected else [])


def _is_inside(code: str) -> bool:
    return code.startswith(INSIDE)


def _asks(case: Case, flow: Flow) -> tuple[str, ...]:
    stage = flow.stages.get(case.stage)
    return stage.asks if stage is not None and stage.kind is Kind.WAIT and case.status is Status.WAITING else ()


def _supplement(case: Case, flow: Flow, asks: tuple[str, ...]) -> Json:
    until = datetime.fromtimestamp((case.retry_ms or case.updated_ms) / 1000, UTC)
    return {
        "asks": [{"field": name, "en": ASKS[name][0], "zh": ASKS[name][1]} for name in asks],
        "until": until.isoformat(timespec="seconds"),
        "times_left": flow.supplements - case.standing.supplements,
    }


def _retry_on(case: Case) -> str:
    """Return the day from which another application has a chance; the same for every reason, so that it tells nothing."""
    return (datetime.fromtimestamp(case.updated_ms / 1000, UTC) + timedelta(days=RETRY_DAYS)).date().isoformat()
