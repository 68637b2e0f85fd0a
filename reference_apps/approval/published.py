"""The flows in force for one instance: those that came with it are published at start, the newest takes new cases, older ones lead theirs to the end."""

from collections.abc import Sequence
from pathlib import Path

from reference_apps.approval import shelf
from reference_apps.approval.flow import reading
from reference_apps.approval.flow.model import Flow, FlowId
from reference_apps.approval.model import Case
from reference_apps.approval.store import Store

BUNDLED = Path(__file__).parent / "flows"


class Unpublished(Exception):
    """A case names a flow that is not on the shelf."""


def bundled() -> tuple[Flow, ...]:
    """Return the flows that come with the app. Raises FlowRefused."""
    return tuple(reading.read(path.read_text(encoding="utf-8"), path.name) for path in sorted(BUNDLED.glob("*.yaml")))


class Published:
    """What is on the shelf, read once: a published version never changes. New cases begin under the newest version of the flow called `name`."""

    def __init__(self, store: Store, name: str, ours: Sequence[Flow]) -> None:
        self._store, self._name, self._ours = store, name, tuple(ours)
        self._read: dict[FlowId, Flow] = {}
        self._newest: Flow | None = None

    def publish(self, now_ms: int) -> None:
        """Put our flows on the shelf, where they are not there yet. Raises FlowRefused, Unpublished when there is no flow for new cases."""
        with self._store.write() as connection:
            for flow in self._ours:
                shelf.publish(connection, flow, now_ms)
        self.refresh()

    def refresh(self) -> None:
        """See what others have published. Raises Unpublished."""
        with self._store.read() as connection:
            newest = shelf.newest(connection, self._name)
        if newest is None:
            raise Unpublished(f"no flow {self._name!r} is published; publish one, or set the config key flow")
        if self._newest is None or self._newest.id != newest:
            self._newest = self.of(newest)

    @property
    def newest(self) -> Flow:
        """Return the flow of new cases. Raises Unpublished before the first `publish`."""
        if self._newest is None:
            raise Unpublished(f"no flow {self._name!r} is published yet")
        return self._newest

    def of(self, flow_id: FlowId) -> Flow:
        """Return a published flow. Raises Unpublished."""
        if self._newest is not None and flow_id is self._newest.id:
            return self._newest
        known = self._read.get(flow_id)
        if known is None:
            known = self._store.flow(flow_id)
            if known is None:
                raise Unpublished(f"flow {flow_id} is not published here; publish it with `python -m reference_apps.approval flow publish FILE`")
            self._read[flow_id] = known
        return known

    def named(self, case: Case) -> tuple[Case, Flow]:
        """Return the case with its flow; one of before there were flows gets the name of its flow's content. Raises Unpublished."""
        flow = self.of(case.flow)
        return (case if case.flow.hash else case.but(flow=flow.id)), flow

    def version(self, name: str, version: int | None) -> Flow | None:
        """Return a published version of a flow (None: the newest), None when there is none."""
        with self._store.read() as connection:
            found = shelf.newest(connection, name) if version is None else FlowId(name, version, "")
        if found is None or (version is not None and self._store.flow(found) is None):
            return None
        return self.of(found)
