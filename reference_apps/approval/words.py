"""Reasons and next steps in plain words, English and Chinese. Pure."""

from collections.abc import Sequence

from reference_apps.approval.model import Case, Reason, Status

SERVICES = {
    "fraud": ("the fraud check", "反欺诈检查"),
    "risk": ("the risk decision", "风险决策"),
    "ledger": ("the payout", "放款"),
    "identity": ("the identity check", "身份核验"),
    "evidence": ("bureau data", "外部数据"),
    "flow": ("the flow's own rule", "流程规则"),
}

REASONS = {
    "fraud_block": ("The application did not pass the fraud check.", "申请未通过反欺诈检查。"),
    "fraud_review": ("The fraud check asks a person to look at this application.", "反欺诈检查要求人工审核。"),
    "fraud_step-up": ("The applicant must be verified once more.", "申请人需要再次验证身份。"),
    "identity_block": ("The identity could not be confirmed.", "身份核验未通过。"),
    "identity_review": ("A person must look at who applies.", "身份核验需人工审核。"),
    "identity_step-up": ("The applicant must be verified once more.", "申请人需要再次验证身份。"),
    "risk_review": ("The risk decision asks a person to look at this application.", "风险决策要求人工审核。"),
    "evidence_unavailable": ("Data that this application needs could not be had; a person must look at it.", "无法获取所需的外部数据,需人工审核。"),
    "person_rejected": ("Our reviewers have declined the application.", "经人工审核,申请未通过。"),
    "supplement_expired": ("What was asked for did not come in time.", "未在规定时间内补充资料。"),
    "supplements_exhausted": ("The application has been supplemented as often as it may be.", "补充资料次数已达上限。"),
    "migrated": ("The application goes on under a newer version of its flow.", "申请按新版流程继续处理。"),
    "amount_is_limit": ("The amount asked for is above the limit; the loan is the limit.", "申请金额高于额度,按额度放款。"),
}

NEXT = {
    Status.RUNNING: ("The application is being worked on; look again in a moment.", "申请处理中,请稍后查看。"),
    Status.WAITING: ("Nothing to do: we go on by ourselves.", "无需操作,系统会自动继续处理。"),
    Status.MANUAL: ("One of us looks at it and gets back to you.", "我们将人工审核并与您联系。"),
    Status.REJECTED: ("You may apply again after 30 days.", "您可在30天后重新申请。"),
    Status.DISBURSED: ("The money is on its way; the first instalment is due in a month.", "款项已发放,一个月后首次还款。"),
}


def reason(code: str) -> Reason:
    en, zh = REASONS[code]
    return Reason(code, en, zh)


def unavailable(service: str, why: str, *, gave_up: bool) -> Reason:
    """Say that a service cannot be had now, and whether we still try."""
    en, zh = SERVICES[service]
    then, dann = ("a person takes over", "转人工处理") if gave_up else ("it is tried again", "系统将重试")
    return Reason(f"{service}_unavailable", f"{en[0].upper()}{en[1:]} is not available ({why}); {then}.", f"{zh}暂不可用,{dann}。")


def unusable(service: str, why: str) -> Reason:
    en, zh = SERVICES[service]
    return Reason(f"{service}_unusable", f"{en[0].upper()}{en[1:]} could not be done ({why}); a person takes over.", f"{zh}无法完成,转人工处理。")


def skipped(lacking: Sequence[str]) -> Reason:
    """Say why an approval may not be paid out."""
    said = f"A mandatory check is missing: {'; '.join(lacking)}. A person must look at this application."
    return Reason("stage_skipped", said, "缺少必经检查,需人工审核。")


def next_step(case: Case) -> tuple[str, str]:
    """Return what the applicant can do now, in English and Chinese."""
    return NEXT[case.status]
