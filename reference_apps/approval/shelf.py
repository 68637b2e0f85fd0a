"""Published flows on disk: each version once, kept for ever, because cases that began under it end under it. Only what passes the model check gets in."""

from sqlite3 import Connection

from reference_apps.approval.flow import modelcheck, reading
from reference_apps.approval.flow.model import Flow, FlowId
from reference_apps.approval.flow.reading import FlowRefused

SCHEMA = """
CREATE TABLE IF NOT EXISTS flows (
    name TEXT NOT NULL, version INTEGER NOT NULL, hash TEXT NOT NULL, content TEXT NOT NULL, published_ms INTEGER NOT NULL, PRIMARY KEY (name, version)
) WITHOUT ROWID;
"""


def publish(connection: Connection, flow: Flow, now_ms: int) -> bool:
    """Put a flow on the shelf; False when this very content stands there already.

    Raises FlowRefused: it fails the model check, or its version was published with another content.
    """
    found = connection.execute("SELECT hash FROM flows WHERE name = ? AND version = ?", (flow.id.name, flow.id.version)).fetchone()
    if found is not None and found[0] == flow.id.hash:
        return False
    if found is not None:
        why = f"version: {flow.id.version} of {flow.id.name} is published with another content ({found[0][:12]}); give this one a higher version"
        raise FlowRefused(flow.id.name, (why,))
    findings = modelcheck.check(flow)
    if findings:
        raise FlowRefused(f"{flow.id.name} v{flow.id.version}", findings)
    row = (flow.id.name, flow.id.version, flow.id.hash, reading.canonical(flow), now_ms)
    connection.execute("INSERT INTO flows VALUES (?, ?, ?, ?, ?)", row)
    return True


def listed(connection: Connection) -> list[tuple[FlowId, int]]:
    """Return what is published with the time of publishing (ms), by name and version."""
    rows = connection.execute("SELECT name, version, hash, published_ms FROM flows ORDER BY name, version").fetchall()
    return [(FlowId(name, version, digest), at_ms) for name, version, digest, at_ms in rows]


def newest(connection: Connection, name: str) -> FlowId | None:
    """Return the highest version of a flow."""
    row = connection.execute("SELECT name, version, hash FROM flows WHERE name = ? ORDER BY version DESC LIMIT 1", (name,)).fetchone()
    return FlowId(*row) if row else None


def taken(connection: Connection, flow_id: FlowId) -> Flow | None:
    """Return a published flow; with an empty hash, the one of that name and version."""
    row = connection.execute("SELECT hash, content FROM flows WHERE name = ? AND version = ?", (flow_id.name, flow_id.version)).fetchone()
    if row is None or (flow_id.hash and flow_id.hash != row[0]):
        return None
    return reading.read(row[1], str(flow_id))
