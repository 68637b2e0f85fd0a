"""Browsers at an app's desk: the cookie, a mark on every form that only this session can make, and what every page tells a browser about itself. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, quote

from ctl.kit.problem import Problem

MOST_FORM = 65_536
MOST_FIELDS = 30

HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def mark(session: str, verb: str, thing: str) -> str:
    """Return the mark of one form of one session: who does not know the session cannot make it."""
    return hmac.new(session.encode(), f"{verb} {thing}".encode(), hashlib.sha256).hexdigest()


def is_marked(session: str, verb: str, thing: str, given: str) -> bool:
    return hmac.compare_digest(mark(session, verb, thing).encode(), given.encode())


def must_be_marked(session: str, verb: str, thing: str, sent: Mapping[str, str]) -> None:
    """Raise Problem (403) unless the form was made for this session, this verb and this thing."""
    if not is_marked(session, verb, thing, sent.get("csrf", "")):
        remedy = "go back, load the page again, and send it from there"
        raise Problem(403, "form_not_ours", "this form was not made for your session; nothing was changed", remedy=remedy)


def must_be_from_here(headers: Mapping[str, str]) -> None:
    """Raise Problem (403) when another site has sent a browser's form: for signing in, where there is no session yet to mark forms with."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Problem(403, "from_elsewhere", "this sign-in was sent from another site", remedy="sign in on this page")


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


def place(name: str) -> str:
    """Write a name as one segment of an address."""
    return quote(name, safe="~")


def cookie(name: str, session: str, *, is_secure: bool) -> str:
    """Return the Set-Cookie header that gives a browser its session. Without a path it holds below the page's own folder, whatever prefix stands before it."""
    return f"{name}={session}; HttpOnly; SameSite=Strict{'; Secure' if is_secure else ''}"


def no_cookie(name: str) -> str:
    """Return the Set-Cookie header that takes it away."""
    return f"{name}=; HttpOnly; SameSite=Strict; Max-Age=0"
