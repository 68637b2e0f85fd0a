"""Asking before what is dangerous: tier 0 in prod asks for the service's name. Without a terminal nothing is asked, and the flag is named."""

from ctl.cli.reach import Reached
from ctl.cli.show import Screen
from ctl.errors import Refused

PROD = "prod"


def service(screen: Screen, there: Reached, name: str, *, doing: str, yes: bool) -> None:
    """Have the name of a tier 0 service typed before `doing` it in prod. Raises Refused where nobody confirms."""
    if yes or there.plane.service(name)["tier"] != 0 or there.plane.status()["environment"] != PROD:
        return
    typed(screen, name, doing=f"{doing} {name}", about=f"{name} is tier 0 in prod")


def environment(screen: Screen, there: Reached, *, doing: str, yes: bool) -> None:
    """Have "prod" typed before `doing` something to all of it. Raises Refused where nobody confirms."""
    if not yes and there.plane.status()["environment"] == PROD:
        typed(screen, PROD, doing=doing, about="this is prod")


def typed(screen: Screen, word: str, *, doing: str, about: str) -> None:
    """Have a person type `word`. Raises Refused without a terminal, or where something else is typed."""
    if not screen.can_ask():
        raise Refused(f"nobody confirmed to {doing}", found=f"{about}, and there is no terminal to ask at", remedy="add --yes if it is meant")
    if screen.ask(f"{about}. Type {word} to {doing}:") != word:
        raise Refused(f"nobody confirmed to {doing}", found="something else was typed", remedy="nothing was changed")
