"""The spec as SQL for DuckDB: the same figures over a table of the log, for training and backfill. Pure: it only writes text.

The table `log` has position, kind, at_ms, amount_fen and the fields of the spec's families (contacts is a list of text; an unknown text is empty).
"""

from reference_apps.fraud.features.sketch import ALPHA, BITS, RANKS, REGISTERS
from reference_apps.fraud.features.spec import DAY_MS, EXACT_DAYS, EXACT_DISTINCT, FIGURES, LATENESS_MS, PANE_DAYS, SPEC, Family, Window

EARLIER_ONLINE = f"""(e.position = c.position OR e.position < c.position AND e.day > c.today - {PANE_DAYS}
        AND (e.at_ms <= c.at_ms OR e.day < c.today - {EXACT_DAYS}))"""
AT_HAND_ONLINE = f"(e.position = c.position OR e.day >= c.today - {EXACT_DAYS})"
VALUES = ("one", "two")

EARLIER_SETTLED = "e.position <= c.settles AND e.at_ms <= c.at_ms"


def online(family: str) -> str:
    """Return a query of a family's online reading: position, key, and each figure as <window>_<figure>, one row for each key of each event."""
    return _query(_family(family), "SELECT * FROM keyed", EARLIER_ONLINE, AT_HAND_ONLINE)


def settled(family: str) -> str:
    """Return a query of a family's settled reading, which late events have none of."""
    closed = f"""SELECT k.*, coalesce(s.settles, {2**62}) AS settles FROM keyed k JOIN ({_settling()}) s USING (position) WHERE NOT s.is_late"""
    return _query(_family(family), closed, EARLIER_SETTLED, "TRUE")


def columns(family: str) -> list[str]:
    """Return the names of a family's figures, in the order in which the serving process gives them."""
    return [f"{window.name}_{figure}" for window in SPEC.windows for figure in (*FIGURES, *_family(family).distinct)]


def _family(name: str) -> Family:
    return next(family for family in SPEC.families if family.name == name)


def _keyed(family: Family) -> str:
    """Return the events with their key, and with the newest day of the key up to each."""
    key = f"unnest(list_distinct({family.key}))" if family.many else family.key
    one, two = family.distinct
    return f"""(SELECT *, at_ms // {DAY_MS} AS day,
        max(at_ms) OVER (PARTITION BY kind, key ORDER BY position) // {DAY_MS} AS today
        FROM (SELECT position, kind, at_ms, amount_fen, nullif({one}, '') AS one, nullif({two}, '') AS two, {key} AS key FROM log) WHERE key <> '')"""


def _settling() -> str:
    """Return, for each event, the position in the log at which it settles, and whether it was late."""
    before = "max(at_ms) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    marks = f"SELECT position AS settles, at_ms AS newest FROM (SELECT position, at_ms, {before} AS before FROM log) WHERE before IS NULL OR at_ms > before"
    return f"""SELECT n.position, n.is_late, w.settles
        FROM (SELECT position, at_ms, coalesce(at_ms < {before} - {LATENESS_MS}, FALSE) AS is_late FROM log) n
        ASOF LEFT JOIN ({marks}) w ON n.at_ms + {LATENESS_MS} < w.newest"""


def _query(family: Family, current: str, earlier: str, at_hand: str) -> str:
    days = SPEC.windows[-1].days
    joined = f"current c JOIN keyed e ON e.kind = c.kind AND e.key = c.key AND {earlier} AND e.day > c.day - {days} AND e.day <= c.day"
    sums = ", ".join(_sums(window, at_hand) for window in SPEC.windows)
    named = ",\n".join(_named(family, number, window) for number, window in enumerate(SPEC.windows))
    parts = ",\n".join(_values(value, joined, at_hand) for value in VALUES)
    return f"""WITH keyed AS MATERIALIZED {_keyed(family)}, current AS MATERIALIZED ({current}),
        sums AS (SELECT c.position, c.key, {sums} FROM {joined} GROUP BY ALL),
        {parts}
        SELECT position, key, {named} FROM sums LEFT JOIN distinct_one USING (position, key) LEFT JOIN distinct_two USING (position, key)
        LEFT JOIN estimate_one USING (position, key) LEFT JOIN estimate_two USING (position, key)"""


def _sums(window: Window, at_hand: str) -> str:
    within = f"e.day > c.day - {window.days}" if window.days else f"e.at_ms > c.at_ms - {window.length_ms} AND e.at_ms <= c.at_ms AND {at_hand}"
    held = f"FILTER (WHERE {within})"
    return f"""count(*) {held} AS "{window.name} count", sum(e.amount_fen) {held} AS "{window.name} sum", max(e.amount_fen) {held} AS "{window.name} max" """


def _values(value: str, joined: str, at_hand: str) -> str:
    """Return how many distinct values each window has: those that were last seen within it. What is too many over days is estimated."""
    last = f"max(e.at_ms) FILTER (WHERE e.at_ms <= c.at_ms AND {at_hand}) AS last_ms, max(e.day) AS last_day"
    counts = ", ".join(f'count(*) FILTER (WHERE {_seen_in(window)}) AS "{window.name} {value}"' for window in SPEC.windows)
    longest = f'"{SPEC.windows[-1].name} {value}"'
    return f"""last_{value} AS MATERIALIZED (
            SELECT c.position, c.key, c.at_ms, c.day, e.{value} AS v, {last} FROM {joined} WHERE e.{value} IS NOT NULL GROUP BY ALL),
        distinct_{value} AS MATERIALIZED (SELECT position, key, {counts} FROM last_{value} GROUP BY ALL),
        many_{value} AS (
            SELECT * FROM last_{value} SEMI JOIN (SELECT position, key FROM distinct_{value} WHERE {longest} > {EXACT_DISTINCT}) USING (position, key)),
        {_estimate(value)}"""


def _seen_in(window: Window) -> str:
    return f"last_day > day - {window.days}" if window.days else f"last_ms > at_ms - {window.length_ms}"


def _estimate(value: str) -> str:
    """Return features/sketch.py as SQL."""
    windows = [window for window in SPEC.windows if window.days]
    rank = f"{RANKS} - length(ltrim(bin(md5_number_lower(v) >> {BITS}), '0'))"
    ranks = ", ".join(f'max({rank}) FILTER (WHERE {_seen_in(window)}) AS "r{window.name}"' for window in windows)
    estimates = ", ".join(f'{_formula(f"r{window.name}")} AS "{window.name} {value}s"' for window in windows)
    return f"""estimate_{value} AS (SELECT position, key, {estimates}
        FROM (SELECT position, key, md5_number_lower(v) & {REGISTERS - 1} AS register, {ranks} FROM many_{value} GROUP BY ALL) GROUP BY ALL)"""


def _formula(rank: str) -> str:
    used = f'count("{rank}")'
    small = f"{REGISTERS} * ln({REGISTERS} / ({REGISTERS} - {used}))"
    large = f"{ALPHA * REGISTERS * REGISTERS!r} / (sum(pow(2.0, -\"{rank}\")) + {REGISTERS} - {used})"
    return f"CASE WHEN {used} < {REGISTERS} AND {small} <= {2.5 * REGISTERS} THEN round({small}) ELSE round({large}) END"


def _named(family: Family, number: int, window: Window) -> str:
    """Name the figures."""
    plain = (f'CAST("{window.name} {short}" AS BIGINT) AS "{window.name}_{name}"' for short, name in zip(("count", "sum", "max"), FIGURES, strict=True))
    distinct = (f'CAST({_distinct(number, value)} AS BIGINT) AS "{window.name}_{name}"' for value, name in zip(VALUES, family.distinct, strict=True))
    return ", ".join((*plain, *distinct))


def _distinct(number: int, value: str) -> str:
    """Over days, too many distinct values are an estimate, and never less than in a shorter window."""
    window = SPEC.windows[number]
    own = f'coalesce("{window.name} {value}", 0)'
    if not window.days:
        return own
    estimated = f'greatest({EXACT_DISTINCT + 1}, "{window.name} {value}s")'
    return f"greatest(CASE WHEN {own} <= {EXACT_DISTINCT} THEN {own} ELSE {estimated} END, {_distinct(number - 1, value)})"
