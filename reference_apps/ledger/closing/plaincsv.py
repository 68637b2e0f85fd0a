"""CSV that a spreadsheet opens as data: a cell that it would run as a formula is marked as text. Pure."""

import csv
import io
from collections.abc import Iterable

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(header: Iterable[str], rows: Iterable[Iterable[str | int | None]]) -> str:
    """Return CSV after RFC 4180; numbers stand as they are, None is empty, and text that begins like a formula gets an apostrophe before it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return out.getvalue()


def safe(cell: str | int | None) -> str | int:
    """Return a cell that no spreadsheet runs."""
    if cell is None:
        return ""
    if isinstance(cell, str) and cell.lstrip(" ").startswith(FORMULA):
        return "'" + cell
    return cell
