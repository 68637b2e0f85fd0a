"""The decision package: rules, scorecard, prices and reason texts of one folder, named by the hash of its content; a wrong package is refused whole."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from reference_apps.risk import pricing
from reference_apps.risk.model import Flow, Outcome, PriceRow
from reference_apps.risk.rules import Rule, Test
from reference_apps.risk.scorecard import Bin, Characteristic, Scorecard

HERE = Path(__file__).parent / "package"
FILES = ("prices.json", "reasons.json", "rules.json", "scorecard.json")
OWN_REASONS = ("score_too_low", "no_score", "evidence_missing", "above_cap", "rate_clamped", "cap_warning")
EVIDENCE = frozenset({"taobao", "jd"})
MOST_RATE = 1


class BadPackage(Exception):
    """The folder is no package that may decide; the message names every fault found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Everything a decision needs besides the facts. `hash` is over the files' bytes; `reasons` has a text per code and language (en, zh)."""

    hash: str
    rules: tuple[Rule, ...]
    lists: Mapping[str, frozenset[str]]
    scorecard: Scorecard
    prices: Mapping[str, tuple[PriceRow, ...]]
    reasons: Mapping[str, Mapping[str, str]]


def load(folder: Path = HERE) -> Package:
    """Read and check a package. Raises BadPackage."""
    try:
        content = {name: (folder / name).read_bytes() for name in FILES}
        package = _parsed(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise BadPackage(f"the decision package in {folder} cannot be read: {type(error).__name__} {error}") from error
    found = faults(package)
    if found:
        raise BadPackage(f"the decision package in {folder} is wrong: {'; '.join(found)}")
    return package


def faults(package: Package) -> list[str]:
    """Say everything that is wrong with a package; empty when it may decide."""
    prices = [f"prices.json {name}: {fault}" for name, table in package.prices.items() for fault in (*pricing.faults(table), *_row_faults(table))]
    return prices + _scorecard_faults(package.scorecard) + _rule_faults(package) + _reason_faults(package)


def _parsed(content: Mapping[str, bytes]) -> Package:
    rules, card = json.loads(content["rules.json"]), json.loads(content["scorecard.json"])
    return Package(
        hash=_hash(content),
        rules=tuple(Rule(**(row | {"test": Test(row["test"]), "outcome": Outcome(row["outcome"])})) for row in rules["rules"]),
        lists={name: frozenset(members) for name, members in rules["lists"].items()},
        scorecard=Scorecard(int(card["base"]), tuple(_characteristic(row) for row in card["characteristics"])),
        prices={name: tuple(_row(row) for row in rows) for name, rows in json.loads(content["prices.json"]).items()},
        reasons=json.loads(content["reasons.json"]),
    )


def _hash(content: Mapping[str, bytes]) -> str:
    """Hash names, lengths and bytes, so that no content can pass for another."""
    whole = hashlib.sha256()
    for name in sorted(content):
        whole.update(f"{name} {len(content[name])}\n".encode() + content[name])
    return f"sha256:{whole.hexdigest()}"


def _characteristic(row: Mapping[str, Any]) -> Characteristic:
    bins = tuple(Bin(points=each["points"], begin=each.get("from"), value=each.get("is")) for each in row["bins"])
    return Characteristic(**{**row, "bins": bins})


def _row(row: Mapping[str, Any]) -> PriceRow:
    return PriceRow(**{**row, "annual_rate": Decimal(row["annual_rate"]), "flow": Flow(row["flow"]), "requires": tuple(row["requires"])})


def _row_faults(table: tuple[PriceRow, ...]) -> list[str]:
    if not table:
        return ["the table is empty"]
    worthless = [row for row in table if row.limit_fen <= 0 or not 0 <= row.annual_rate <= MOST_RATE]
    wrong = [f"row {row.grade}: limit_fen must be positive and the rate from 0 to 1" for row in worthless]
    return wrong + [f"row {row.grade}: requires unknown evidence {name}" for row in table for name in row.requires if name not in EVIDENCE]


def _scorecard_faults(card: Scorecard) -> list[str]:
    found = []
    for each in card.characteristics:
        points, begins = [one.points for one in each.bins], [one.begin for one in each.bins if one.begin is not None]
        if each.monotone and points != sorted(points):
            found.append(f"scorecard.json {each.id}: declared monotone, but the points fall")
        if begins != sorted(set(begins)) or (begins and len(begins) != len(points)):
            found.append(f"scorecard.json {each.id}: the bins do not rise")
    return found


def _rule_faults(package: Package) -> list[str]:
    ids = [rule.id for rule in package.rules]
    twice = [f"rules.json: rule {rule_id} stands there twice" for rule_id in sorted({each for each in ids if ids.count(each) > 1})]
    lists = [f"rules.json {rule.id}: no list {rule.value}" for rule in package.rules if rule.test is Test.LISTED and rule.value not in package.lists]
    return twice + lists + [f"rules.json {rule.id}: a rule may refuse or send to review, not pass" for rule in package.rules if rule.outcome is Outcome.PASS]


def _reason_faults(package: Package) -> list[str]:
    codes = {*OWN_REASONS, *(rule.reason for rule in package.rules), *(each.id for each in package.scorecard.characteristics)}
    return [f"reasons.json: {code} needs a text in en and zh" for code in sorted(codes) if not {"en", "zh"} <= set(package.reasons.get(code, ()))]
