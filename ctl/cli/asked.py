"""What was asked for in general, whatever the command: the shape and colour of the answer, and which control plane answers."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctl.cli import reach
from ctl.cli.reach import Reached

if TYPE_CHECKING:
    from ctl.settings import Settings

POLL_S = 0.25


@dataclass(slots=True, kw_only=True)
class Asked:
    """Options fill this in while the command line is read; `door` opens the plane, and `poll_s` is how often a wait looks."""

    output: str = "text"
    color: str = "auto"
    utc: bool = False
    verbose: bool = False
    server: str = ""
    token_file: str = ""
    poll_s: float = POLL_S
    door: Callable[[str, str], AbstractContextManager[Reached]] = reach.plane

    def plane(self) -> AbstractContextManager[Reached]:
        """Open the control plane this command talks to. Raises BackendError where a named server does not answer."""
        return self.door(self.server, self.token_file)

    def settings(self) -> "Settings":
        """Read the settings of this machine. Raises BadInput."""
        from ctl import settings

        return settings.load()
