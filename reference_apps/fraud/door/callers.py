"""Who asks: a person by their bearer token."""

from asyncio import to_thread
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header

from ctl.kit.problem import Problem
from reference_apps.fraud.keeping.people import People, Person

Authorization = Annotated[str, Header(max_length=300)]
Knock = Callable[[Authorization], Awaitable[Person]]


def knock(people: People) -> Knock:
    """Return what finds out who asks. Raises Problem (401)."""

    async def person(authorization: Authorization = "") -> Person:
        scheme, _, token = authorization.partition(" ")
        found = await to_thread(people.by_token, token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            remedy = "send `Authorization: Bearer TOKEN`; `python -m reference_apps.fraud person add` gives tokens"
            raise Problem(401, "not_signed_in", "there is no token, or nobody has it", remedy=remedy)
        return found

    return person
