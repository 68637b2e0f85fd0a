"""What the anomaly detector looks at, by kind of event: some of the evidence and the place in the graph, each as a number in [0, 1], and its trees. Pure.

It looks at nothing that is counted by key, because those figures lie with several instances; an event's own fields and its ties lie with the owner of the
graph, which sees every event. What is not known counts as ordinary.
"""

from collections.abc import Callable
from functools import partial
from hashlib import sha256

from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.table import Table
from reference_apps.fraud.features.trees import Forest, Leaves, planted
from reference_apps.fraud.model import Event

SEED = "half-space trees 1"
COUNT, DEPTH, WINDOW = 18, 6, 500
ONLY = ""

Reads = Callable[[Event, Ties], Leaves]


def level(field: str, ordinary: float) -> str:
    """A share as it is."""
    return f"({ordinary!r} if (v := e.{field}) is None else v)"


def grown(field: str, half: float, ordinary: float) -> str:
    """A quantity, brought into [0, 1): a half at `half`."""
    return f"({ordinary / (ordinary + half)!r} if (v := e.{field}) is None else v / (v + {half!r}))"


def flag(field: str) -> str:
    return f"(1.0 if e.{field} else 0.0)"


TIES = ("t.sharing / (t.sharing + 2.0)", "t.ring / (t.ring + 3.0)", "t.new_24h / (t.new_24h + 6.0)")
HAND = (
    grown("dwell_ms", 15_000.0, 25_000.0),
    level("touch_entropy", 0.75),
    level("key_entropy", 0.75),
    level("paste_ratio", 0.1),
    grown("requests_per_minute", 40.0, 15.0),
    grown("captcha_fails", 2.0, 0.0),
)
SESSION = (
    flag("proxy"),
    flag("hosting_network"),
    flag("emulator"),
    flag("timezone_mismatch"),
    grown("blacklist_hits", 1.0, 0.0),
    grown("domain_age_days", 200.0, 3_000.0),
    grown("device_age_days", 60.0, 400.0),
    level("fingerprint_entropy", 0.78),
)
KEYS_HELD = (flag("new_device"), grown("credential_changed_hours", 100.0, 9_000.0), grown("sim_swap_days", 30.0, 900.0), grown("geo_speed_kmh", 200.0, 15.0))
PAPERS = (
    level("name_match", 1.0),
    level("id_phone_match", 1.0),
    level("card_match", 1.0),
    level("face_score", 0.95),
    level("liveness_score", 0.95),
    grown("phone_tenure_days", 120.0, 1_500.0),
)
DWELLING = (grown("geocode_precision_m", 300.0, 40.0), grown("home_gps_km", 100.0, 3.0), level("bad_address_similarity", 0.2), grown("address_edits", 3.0, 0.0))
MONEY = (
    level("utilisation_jump", 0.1),
    level("shopping_drop", 0.2),
    "min(1.0, 4.0 * " + level("peer_delinquency", 0.03) + ")",
    "(0.3 if e.monthly_income_fen is None else e.amount_fen / (e.amount_fen + 2.0 * e.monthly_income_fen))",
)
BROUGHT = (
    grown("bureau_queries_30d", 6.0, 1.0),
    level("contact_reciprocity", 0.4),
    "min(1.0, 3.0 * " + level("agent_default_rate", 0.03) + ")",
    grown("same_gps_submissions", 8.0, 2.0),
)
BUYING = (
    "(0.1 if e.limit_fen is None else min(1.0, e.amount_fen / e.limit_fen))",
    grown("activated_days", 30.0, 300.0),
    grown("merchant_age_days", 150.0, 1_500.0),
    grown("refunds_24h", 2.0, 0.0),
    grown("payee_added_hours", 24.0, 3_000.0),
    "(1.0 if e.amount_fen and e.amount_fen % 50000 == 0 else 0.0)",
)
DIMENSIONS = {
    "application": (*TIES, *HAND, *SESSION, *PAPERS, *DWELLING, *MONEY, *BROUGHT),
    "login": (*TIES, *HAND, *SESSION, *KEYS_HELD),
    "payment": (*TIES, *HAND, *SESSION, *KEYS_HELD, *BUYING),
}
TREES = {kind: planted(len(read), f"{SEED} {kind}", count=COUNT, depth=DEPTH, window=WINDOW) for kind, read in DIMENSIONS.items()}
EDITION = sha256(repr((SEED, COUNT, DEPTH, WINDOW, sorted(DIMENSIONS.items()))).encode()).hexdigest()[:12]
"""What must be the same for a forest to go on where another one was."""


def _reader(kind: str) -> Reads:
    """Return the kind's leaves as one function of the event and its ties; each dimension is read once."""
    names = [f"x{number}" for number in range(len(DIMENSIONS[kind]))]
    leaves = eval(f"lambda {', '.join(names)}: {TREES[kind].expression(names)}", {"__builtins__": {}})
    made: Reads = eval(f"lambda e, t: leaves({', '.join(DIMENSIONS[kind])})", {"leaves": leaves, "min": min, "__builtins__": {}})
    return made


READERS = {kind: _reader(kind) for kind in DIMENSIONS}


def tables(fetch: Callable[[str, str], bytes | None]) -> dict[str, Table[Forest]]:
    """Return an empty forest for each kind, as a table with a single key, so that snapshots hold it like everything else."""
    return {kind: Table(f"forest|{kind}", partial(Forest, trees), Forest.pack, partial(Forest.unpack, trees), fetch) for kind, trees in TREES.items()}


def observe(forests: dict[str, Table[Forest]], position: int, event: Event, ties: Ties) -> int | None:
    """Show an event to its kind's forest and return how odd it is, in millionths. None: not enough was seen yet, or this event was seen before."""
    table = forests.get(event.kind)
    if table is None:
        return None
    forest = table.touch(ONLY)
    if forest.seen >= position:
        return None
    forest.seen = position
    return forest.observe(READERS[event.kind](event, ties))
