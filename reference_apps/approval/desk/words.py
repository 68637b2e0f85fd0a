"""What people say at the desk, in English and Chinese: reason codes, outcomes, skills. Pure."""

from collections.abc import Mapping

from reference_apps.approval.desk.tasks import Outcome

REJECTIONS: Mapping[str, tuple[str, str]] = {
    "income_insufficient": ("Income does not carry the instalments", "收入不足以支付还款"),
    "over_indebted": ("Too much debt elsewhere", "负债过高"),
    "identity_doubtful": ("Identity is doubtful", "身份存疑"),
    "evidence_false": ("Evidence is false or contradicts itself", "资料虚假或相互矛盾"),
    "suspected_fraud": ("Suspected fraud", "疑似欺诈"),
    "policy": ("Outside the lending policy", "不符合授信政策"),
}
RETURNS: Mapping[str, tuple[str, str]] = {
    "identity_document": ("Identity document is missing or unreadable", "身份证件缺失或不清晰"),
    "income_proof": ("Proof of income is missing", "缺少收入证明"),
    "address_proof": ("Proof of address is missing", "缺少住址证明"),
    "contact": ("Contact cannot be reached", "联系人无法联系"),
    "shopping_data": ("Shopping data are missing", "缺少购物数据"),
    "explain": ("Something must be explained", "需补充说明"),
}
OUTCOMES: Mapping[Outcome, tuple[str, str]] = {
    Outcome.APPROVE: ("Approve", "同意"),
    Outcome.REJECT: ("Reject", "拒绝"),
    Outcome.RETURN: ("Return", "退回"),
}
DONE: Mapping[Outcome, str] = {Outcome.APPROVE: "approved", Outcome.REJECT: "rejected", Outcome.RETURN: "returned"}


def codes(outcome: Outcome) -> Mapping[str, tuple[str, str]]:
    """Return the reason codes that go with an outcome; an approval needs none."""
    return {Outcome.REJECT: REJECTIONS, Outcome.RETURN: RETURNS}.get(outcome, {})


def reason(outcome: Outcome, code: str) -> tuple[str, str]:
    """Return a reason in English and Chinese; a code of former times stands for itself."""
    return codes(outcome).get(code, (code, code))


STAGES: Mapping[str, tuple[str, str]] = {
    "first_review": ("First review", "初审"),
    "recheck": ("Re-check", "复核"),
    "re_check": ("Re-check", "复核"),
    "fraud": ("Fraud check", "反欺诈检查"),
    "risk": ("Risk decision", "风险决策"),
    "pricing": ("Pricing", "定价"),
    "bureau": ("Credit bureau", "征信"),
    "taobao": ("Taobao data", "淘宝数据"),
    "jd": ("JD data", "京东数据"),
    "supplement": ("Supplement", "补件"),
    "disburse": ("Payout", "放款"),
    "fraud_review": ("Fraud review", "反欺诈审核"),
    "fraud_recheck": ("Fraud re-check", "反欺诈复核"),
    "trouble": ("A failed step", "异常处理"),
    "payout_trouble": ("A failed payout", "放款异常"),
}
CAME_TO: Mapping[str, tuple[str, str]] = {
    "pass": ("good", "passed"),
    "paid": ("good", "paid out"),
    "approve": ("good", "approved"),
    "supplied": ("good", "supplemented"),
    "manual": ("care", "asks for a person"),
    "review": ("care", "asks for a person"),
    "missing": ("care", "lacks data"),
    "return": ("care", "returned"),
    "timeout": ("care", "gave no answer"),
    "error": ("care", "failed"),
    "expired": ("bad", "time ran out"),
    "exhausted": ("bad", "no more supplements"),
    "reject": ("bad", "rejected"),
    "waits": ("open", "is tried again"),
}
"""What a step came to: how good that is, and in words."""
KINDS: Mapping[str, str] = {
    "opened": "the case came to this stage",
    "claimed": "claimed",
    "renewed": "claimed again",
    "released": "released",
    "delegated": "handed on",
    "decided": "decided",
    "barred": "may not decide it any more",
    "lease_expired": "the claim ran out, open again",
    "escalated": "overdue, escalated",
    "withdrawn": "the case went on without it",
}


def stage(name: str) -> tuple[str, str]:
    """Return a stage's name in English and Chinese; one that we do not know is its own name, made readable."""
    plain = name.replace("_", " ").capitalize()
    return STAGES.get(name, (plain, ""))
