"""A monitoring report as JSON, and as lines for people. Pure."""

from collections.abc import Iterator
from typing import Any

from reference_apps.risk.monitoring.model import Report, Row

Json = dict[str, Any]
MOST_SHIFTS = 5
HEAD = ("model", "scene", "segment", "decisions", "PSI", "verdict", "approved", "AUC", "KS", "calibration", "most moved")


def as_json(report: Report) -> Json:
    vintages = [{"month": each.month, "loans": each.loans, "late_30": each.late, "late_30_share": each.late_share} for each in report.vintages]
    return {"decisions": report.decisions, "rows": [row_json(row) for row in report.rows], "vintages": vintages}


def row_json(row: Row) -> Json:
    quality = {name: getattr(row.quality, name) for name in ("known", "bads", "auc", "ks", "calibration_error")}
    return {
        **{name: getattr(row, name) for name in ("package", "role", "model", "scene", "segment", "n", "psi", "approval_rate")},
        "verdict": str(row.verdict),
        "csi": [{"variable": each.variable, "value": each.value, "verdict": str(each.verdict)} for each in row.shifts],
        "outcomes": {**quality, "calibration": [dict(each) for each in row.quality.calibration]},
    }


def lines(report: Report) -> Iterator[str]:
    """Yield a table, aligned; then the vintages."""
    yield f"{report.decisions:,} decisions"
    packages = sorted({(row.role, row.package) for row in report.rows})
    for role, package in packages:
        rows = [row for row in report.rows if (row.role, row.package) == (role, package)]
        yield f"\n{role} {package}"
        yield from _aligned([HEAD, *(_cells(row) for row in rows)])
    if report.vintages:
        yield "\nvintages: 30 days or more past due"
        yield from _aligned([("month", "loans", "late", "share"), *((v.month, f"{v.loans:,}", f"{v.late:,}", f"{v.late_share:.1%}") for v in report.vintages)])


def _cells(row: Row) -> tuple[str, ...]:
    moved = ", ".join(f"{each.variable} {each.value:.2f}" for each in row.shifts[:MOST_SHIFTS] if each.value >= 0.1)
    approved = "-" if row.approval_rate is None else f"{row.approval_rate:.1%}"
    figures = (_figure(row.psi), str(row.verdict), approved, _figure(row.quality.auc), _figure(row.quality.ks), _figure(row.quality.calibration_error))
    return (row.model, row.scene, row.segment, f"{row.n:,}", *figures, moved)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
