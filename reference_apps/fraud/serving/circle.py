"""The members of this machine as one of them sees them: who owns what, and what the others know of an event.

A member takes slots over before the others let go of them, so there is no moment without an owner unless one dies; then its heirs replay the log.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from ctl.kit.database import DatabaseFailed
from reference_apps.fraud.features.shard import ALL, Partial, merged
from reference_apps.fraud.serving.follower import Follower, is_whole
from reference_apps.fraud.sharing.members import Card, Members, Stage, owned
from reference_apps.fraud.sharing.peers import Ear, Line, Tell

LOOK_S = 0.1
LEAVE_S = 5.0
TOGETHER_S = 0.001
"""Questions to the others that come up within this time go out together."""

log = logging.getLogger("fraud.circle")


class Circle:
    """Keeps what the follower owns in step with who is there."""

    def __init__(self, members: Members, follower: Follower, tell: Tell) -> None:
        self._members, self._follower = members, follower
        self._ear = Ear(members.card.token, tell)
        self._lines: dict[tuple[int, str], Line] = {}
        self._others: tuple[Card, ...] = ()
        self._asking: dict[int, asyncio.Future[Partial | None]] = {}
        self._tasks: set[asyncio.Future[None]] = set()

    def names(self) -> frozenset[str]:
        """Return the names of all living members, this one too."""
        return frozenset({self._members.card.name, *(card.name for card in self._others)})

    async def join(self) -> None:
        """Show up, replay what is to be owned, and count from then on."""
        port = await self._ear.listen()
        self._members.card = replace(self._members.card, port=port)
        self._members.join()
        self._look()
        await self._follower.begin(self._wanted())
        self._members.become(Stage.SERVING)

    async def watch(self) -> None:
        """Look who is there, again and again, and take over or let go of slots."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.step()
            except (DatabaseFailed, OSError) as error:
                log.warning("slots wait to be taken over: %s", error)

    async def step(self) -> None:
        """Look once."""
        self._look()
        wanted, owned_now = self._wanted(), self._follower.slots
        if wanted & ~owned_now:
            began = monotonic()
            await self._follower.gain(wanted & ~owned_now)
            log.info("took over %d slots in %.2f s", (wanted & ~owned_now).bit_count(), monotonic() - began)
        elif owned_now & ~wanted and self._members.card.stage is Stage.SERVING:
            await self._follower.keep(wanted)
            log.info("let go of %d slots", (owned_now & ~wanted).bit_count())

    async def leave(self) -> None:
        """Tell the others, and wait until they own everything; alone, there is nobody to wait for."""
        if self._members.card.stage is not Stage.SERVING:
            return
        self._members.become(Stage.LEAVING)
        deadline = monotonic() + LEAVE_S
        while monotonic() < deadline:
            self._look()
            heirs = [card for card in self._others if card.stage is Stage.SERVING]
            if not heirs or await self._theirs(heirs) == ALL:
                return
            await asyncio.sleep(LOOK_S)

    async def part(self) -> None:
        """Be gone."""
        self._members.part()
        await self._ear.close()
        for line in self._lines.values():
            line.close()

    async def gather(self, position: int, own: Partial) -> Partial | None:
        """Return all that is known of an event, by all members; None: together they do not own every slot at this moment."""
        if is_whole(own):
            return own
        asking = self._asking.get(position)
        if asking is None:
            asking = self._asking[position] = asyncio.get_running_loop().create_future()
            if len(self._asking) == 1:
                asyncio.get_running_loop().call_later(TOGETHER_S, self._ask_together)
        theirs = await asking
        whole = own if theirs is None else merged((own, theirs))
        return whole if is_whole(whole) else None

    def _ask_together(self) -> None:
        asking, self._asking = self._asking, {}
        self._tasks.add(task := asyncio.ensure_future(self._ask_all(asking)))
        task.add_done_callback(self._tasks.discard)

    async def _ask_all(self, asking: dict[int, "asyncio.Future[Partial | None]"]) -> None:
        positions = list(asking)
        answers = await asyncio.gather(*(self._ask(card, positions) for card in self._others))
        for place, position in enumerate(positions):
            found = [partial for answer in answers if answer and (partial := answer[place]) is not None]
            if not asking[position].done():
                asking[position].set_result(merged(found) if found else None)

    async def _ask(self, card: Card, positions: Sequence[int]) -> list[Partial | None] | None:
        place = (card.port, card.token)
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = Line(card.port, card.token)
        try:
            return await line.ask(positions)
        except (OSError, TimeoutError):
            line.close()
            self._lines.pop(place, None)
            return None

    async def _theirs(self, heirs: Sequence[Card]) -> int:
        slots = 0
        for answer in await asyncio.gather(*(self._ask(card, ()) for card in heirs)):
            for partial in answer or ():
                slots |= partial.slots if partial else 0
        return slots

    def _look(self) -> None:
        self._others = self._members.others()

    def _wanted(self) -> int:
        if self._members.card.stage is Stage.LEAVING:
            return self._follower.slots
        serving = [card.name for card in self._others if card.stage is Stage.SERVING]
        return owned(self._members.card.name, [*serving, self._members.card.name])
