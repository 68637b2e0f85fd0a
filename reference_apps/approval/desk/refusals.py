"""Refusals of the desk as problems: what was attempted, what was found, who holds the task and until when."""

from typing import Any

from ctl.kit.desk.moments import iso
from ctl.kit.problem import Problem
from reference_apps.approval.desk.tasks import Refused, Why

STATUS = {Why.FORBIDDEN: 403, Why.CONFLICT: 409, Why.INVALID: 422}


class NotDone(Problem):
    """A verb that changed nothing. `more` are members of the answer's body besides those of every problem."""

    def __init__(self, refused: Refused, **more: Any) -> None:
        until = iso(refused.until_ms) if refused.until_ms is not None else None
        held = {"holder": refused.holder, "until": until} if refused.holder else {}
        detail = refused.said + (f" until {until}" if until else "")
        super().__init__(STATUS[refused.why], refused.code, detail, remedy=refused.remedy)
        self.refused = refused
        self.more = held | more

    def body(self) -> dict[str, Any]:
        """Return the answer's body, with who holds the task, or what was decided."""
        return super().body() | self.more


def no_task(task_id: str) -> Problem:
    return Problem(404, "task_not_found", f"there is no task {task_id}", remedy="GET /v1/tasks lists those that you may take")


def no_reviewer(person_id: str) -> Problem:
    return Problem(422, "reviewer_not_found", f"there is no reviewer {person_id}", remedy="GET /v1/tasks/{id} lists in may_take whom the task can go to")


class NotSignedIn(Problem):
    """Nobody we know."""

    def __init__(self) -> None:
        remedy = "send Authorization: Bearer TOKEN; `reviewer add` makes a token"
        super().__init__(401, "not_signed_in", "there is no reviewer with this token, or it was revoked", remedy=remedy)

    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        return super().headers() | {"www-authenticate": "Bearer"}
