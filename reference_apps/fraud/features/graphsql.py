"""The graph as SQL for DuckDB: the same ties over a table of the log, for training and backfill. Pure: it only writes text.

The table `log` is that of `sql`; the table `marks` has position, account and is_bad, a row whenever an account was put on the block list or taken off it.
Rings grow link by link, each in its own steps: what that costs is the size of a ring times its links, and all rings go ahead together.
"""

from reference_apps.fraud.features.graph import NUMBERS, PUBLIC
from reference_apps.fraud.features.spec import DAY_MS

COLUMNS = NUMBERS

HELD = """(SELECT position, at_ms, account, 'device' AS family, device AS hub FROM log WHERE device <> ''
        UNION ALL SELECT position, at_ms, account, 'contact', unnest(list_distinct(contacts)) FROM log)"""

MEMBERS = f"""(SELECT family, hub, account, position, at_ms
        FROM (SELECT family, hub, account, min(position) AS position, arg_min(at_ms, position) AS at_ms FROM held GROUP BY ALL)
        QUALIFY row_number() OVER (PARTITION BY family, hub ORDER BY position) <= {PUBLIC})"""
"""Who is on a device or contact, and since when: one that is public takes in nobody further."""

NEAR = f"""(SELECT h.position, h.family, h.hub,
            count(*) FILTER (WHERE m.account <> h.account) AS others,
            count(*) FILTER (WHERE m.account <> h.account AND k.is_bad) AS spoilt,
            count(*) FILTER (WHERE m.at_ms > h.at_ms - {DAY_MS} AND m.at_ms <= h.at_ms) AS fresh
        FROM held h JOIN members m ON m.family = h.family AND m.hub = h.hub AND m.position <= h.position
        ASOF LEFT JOIN marks k ON k.account = m.account AND h.position > k.position GROUP BY ALL)"""

LINKS = """(SELECT one, other, min(position) AS position
        FROM (SELECT position, account AS one, first_value(account) OVER (PARTITION BY family, hub ORDER BY position) AS other FROM members)
        WHERE one <> other GROUP BY ALL)"""

WHOLE = """(SELECT one AS account, one AS root FROM links UNION SELECT other, other FROM links
        UNION SELECT n.other, min(w.root) FROM whole w JOIN neighbours n ON n.one = w.account
            JOIN recurring.whole r ON r.account = n.other WHERE w.root < r.root GROUP BY n.other)"""
"""Which ring each account is in at the end."""

GROWN = """(SELECT root, 0 AS step, CAST(0 AS BIGINT) AS position, account, account AS part FROM whole
        UNION ALL SELECT g.root, n.step, n.position, g.account, CASE WHEN g.part = b.part THEN a.part ELSE g.part END
        FROM grown g JOIN numbered n ON n.root = g.root AND n.step = g.step + 1
            JOIN grown a ON a.root = n.root AND a.account = n.one JOIN grown b ON b.root = n.root AND b.account = n.other)"""
"""Which part of its ring each account is in after each link."""


def online() -> str:
    """Return a query of the online reading: position and the event's ties."""
    return f"""WITH RECURSIVE held AS MATERIALIZED {HELD}, members AS MATERIALIZED {MEMBERS}, near AS {NEAR}, links AS MATERIALIZED {LINKS},
        neighbours AS MATERIALIZED (SELECT one, other FROM links UNION SELECT other, one FROM links),
        whole(account, root) USING KEY (account) AS {WHOLE},
        numbered AS MATERIALIZED (
            SELECT root, one, other, position, row_number() OVER (PARTITION BY root ORDER BY position) AS step FROM links JOIN whole ON account = one),
        grown AS {GROWN},
        sized AS (SELECT account, position, step, count(*) OVER (PARTITION BY root, step, part) AS size FROM grown),
        rings AS (SELECT account, position, arg_max(size, step) AS ring FROM sized GROUP BY ALL),
        tied AS (SELECT position, max(others) AS sharing, sum(others) AS near, sum(spoilt) AS bad_near, sum(fresh) AS new_24h FROM near GROUP BY ALL)
        SELECT e.position, coalesce(t.sharing, 0) AS sharing, coalesce(r.ring, 1) AS ring,
            CAST(coalesce(t.near, 0) AS BIGINT) AS near, CAST(coalesce(t.bad_near, 0) AS BIGINT) AS bad_near, CAST(coalesce(t.new_24h, 0) AS BIGINT) AS new_24h
        FROM log e LEFT JOIN tied t USING (position) ASOF LEFT JOIN rings r ON r.account = e.account AND e.position >= r.position"""
