"""Browsers at the desk: the cookie, a mark on every form that only this session can make, and what every page tells a browser about itself. Pure."""

import hashlib
import hmac
from urllib.parse import parse_qs, quote

from ctl.kit.problem import Problem

COOKIE = "approval_desk"
MOST_FORM = 65_536
MOST_FIELDS = 30

HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def mark(session: str, verb: str, task_id: str) -> str:
    """Return the mark of one form of one session: who does not know the session cannot make it."""
    return hmac.new(session.encode(), f"{verb} {task_id}".encode(), hashlib.sha256).hexdigest()


def is_marked(session: str, verb: str, task_id: str, given: str) -> bool:
    return hmac.compare_digest(mark(session, verb, task_id).encode(), given.encode())


def form(body: bytes) -> dict[str, str]:
    """Read a form as a browser sends it; of a field given twice the last counts. Raises Problem (413, 400)."""
    if len(body) > MOST_FORM:
        detail = f"the form has {len(body):,} bytes; {MOST_FORM:,} are allowed"
        raise Problem(413, "form_too_large", detail, remedy="write less, or attach a paper by reference")
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Problem(400, "form_unreadable", f"the form cannot be read: {error}", remedy="send it from the page") from error
    return {name: values[-1].replace("\r\n", "\n") for name, values in fields.items()}


def place(task_id: str) -> str:
    """Write a task's id as one segment of an address."""
    return quote(task_id, safe="~")


def cookie(session: str, *, is_secure: bool) -> str:
    """Return the Set-Cookie header that gives a browser its session. Without a path it holds below the page's own folder, whatever prefix stands before it."""
    return f"{COOKIE}={session}; HttpOnly; SameSite=Strict{'; Secure' if is_secure else ''}"


def no_cookie() -> str:
    """Return the Set-Cookie header that takes it away."""
    return f"{COOKIE}=; HttpOnly; SameSite=Strict; Max-Age=0"
