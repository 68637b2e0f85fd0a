"""Flows as data: what is read, what is refused and where, and flows that cheat in every way, each refused with the path it would have taken."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reference_apps.approval import commands, shelf
from reference_apps.approval.flow import conditions, modelcheck, picture, reading
from reference_apps.approval.flow.conditions import Unclear
from reference_apps.approval.flow.model import RULES, Flow
from reference_apps.approval.flow.reading import FlowRefused
from reference_apps.approval.published import BUNDLED, bundled
from reference_apps.approval.store import Store

TEXT = (BUNDLED / "loan.yaml").read_text()
PLAIN: dict[str, Any] = yaml.safe_load(TEXT)
LOAN = bundled()[0]
Edit = dict[str, Any]
WITHOUT_PULLS: Edit = {**{f"stages__{name}": None for name in ("bureau", "taobao", "jd")}, "profiles__fast": {}, "profiles__normal": {}}
FAILS = dict.fromkeys(["missing", "timeout", "error"], "trouble")


def edited(**changes: Any) -> Flow:
    """Return the bundled flow with changes: `stages__fraud__edges__pass="disburse"` sets that one value, None removes it."""
    plain = copy.deepcopy(PLAIN)
    for path, value in changes.items():
        *way, last = path.split("__")
        here = plain
        for step in way:
            here = here[step]
        if value is None:
            del here[last]
        else:
            here[last] = value
    return reading.read(yaml.safe_dump(plain, sort_keys=False), "flow.yaml")


def test_the_bundled_flow_is_sound_and_reads_back_from_its_canonical_text() -> None:
    assert modelcheck.check(LOAN) == ()
    again = reading.read(reading.canonical(LOAN), "shelf")
    assert (again, again.id.hash) == (LOAN, LOAN.id.hash)


def test_comments_and_layout_do_not_change_the_hash_and_everything_else_does() -> None:
    assert reading.read("# another comment\n" + TEXT.replace("  fraud:\n", "  fraud:   \n"), "x").id == LOAN.id
    changed = [
        edited(stages__fraud__attempts=3),
        edited(stages__recheck__sla_s=1),
        edited(supplements=2),
        edited(version=2),
        edited(profiles__normal__skip=["jd"]),
        edited(stages__risk__edges__missing=["first_review"], **WITHOUT_PULLS),
    ]
    assert len({flow.id.hash for flow in [LOAN, *changed]}) == len(changed) + 1


REVIEW = {"kind": "review", "skill": "credit", "sla_s": 60}
CHEATS: dict[str, tuple[Edit, str]] = {
    "fraud is not asked": ({"start": "risk"}, "received -> risk -> approved: skips fraud (profile normal)"),
    "fraud's silence is good enough": (
        {"stages__fraud__edges__timeout": "risk"},
        "received -> fraud -> risk -> approved: skips fraud (profile",
    ),
    "an error goes on": ({"stages__risk__edges__error": "disburse"}, "received -> fraud -> risk -> approved: goes on although risk failed"),
    "missing data go on": ({"stages__taobao__edges__missing": "jd"}, "-> risk -> approved: goes on although taobao failed"),
    "the risk decision is left out": ({"stages__fraud__edges__pass": "disburse"}, "received -> fraud -> approved: skips affordability"),
    "risk is not passed": ({"stages__risk__edges__manual": "disburse"}, "received -> fraud -> risk -> approved: skips"),
    "pricing is left out after people": (
        {"stages__recheck__edges__approve": "disburse"},
        "received -> fraud -> risk -> first_review -> recheck -> approved: skips rate_cap",
    ),
    "one person alone": (
        {"stages__first_review__edges__approve": "pricing", "stages__recheck": None},
        "received -> fraud -> risk -> first_review -> pricing -> approved: skips affordability",
    ),
    "one person alone, for a case that had passed": (
        {
            "stages__risk__edges__pass": [{"to": "look", "when": "limit_fen > 300000"}, "disburse"],
            "stages__look": REVIEW | {"edges": {"approve": "disburse", "reject": "rejected"}},
        },
        "received -> fraud -> risk -> look -> approved: look is not re-checked by a second person",
    ),
    "people clear what was never asked": (
        {"start": "first_review", "stages__recheck__clears": ["fraud", "risk", "affordability"]},
        "received -> first_review -> recheck -> pricing -> approved: skips affordability",
    ),
    "people clear a service that never answered": (
        {"stages__fraud__edges__timeout": "fraud_review"},
        "received -> fraud -> fraud_review -> fraud_recheck -> risk -> approved: skips fraud",
    ),
    "data that come after the price": (
        {"stages__risk__edges__pass": "late", "stages__late": {"kind": "taobao", "edges": FAILS | {"pass": "disburse"}}},
        "received -> fraud -> risk -> late -> approved: skips affordability",
    ),
    "a supplement that is not looked at": ({"stages__supplement__edges__supplied": "disburse"}, "-> supplement -> approved: skips affordability"),
    "a rejection that goes on": ({"stages__fraud__edges__reject": "risk"}, "a rejection of fraud goes on to risk; it ends or waits for a supplement"),
    "a person's rejection that goes on": ({"stages__recheck__edges__reject": "pricing"}, "a rejection of recheck goes on to pricing"),
    "identity where there is a stage for it": (
        {
            "stages__risk__edges__missing": ["who"],
            "stages__who": {"kind": "identity", "edges": FAILS | {"pass": "risk", "reject": "rejected", "manual": "trouble"}},
            **WITHOUT_PULLS,
        },
        "received -> fraud -> risk -> approved: skips identity",
    ),
    "a payout that is given up": ({"stages__disburse__edges__timeout": "trouble"}, "money may be on its way, and the case goes to"),
    "a payout that is priced anew": ({"stages__payout_trouble__edges__approve": "pricing"}, "money may be on its way, and the case goes to pricing"),
    "no way out": ({"stages__payout_trouble__edges__approve": "payout_trouble"}, "no end can be reached from payout_trouble"),
    "a circle without end": (
        {"stages__risk__edges__missing": [{"to": "taobao", "when": "profile == 'extended'"}, "first_review"], "stages__bureau": None},
        "risk -> taobao -> jd -> risk: goes round by itself without end; bound one of its edges with `most`",
    ),
    "a dead stage": ({"stages__island": REVIEW | {"edges": {"approve": "pricing", "reject": "rejected"}}}, "island: no path enters this stage"),
    "a stage that every profile skips": ({"profiles__extended": {"skip": ["jd"]}}, "jd: no path enters this stage"),
    "back to nowhere": ({"start": "trouble"}, "received -> trouble -> back: there is nothing to go back to"),
}  # fmt: skip


@pytest.mark.parametrize("changes, path", CHEATS.values(), ids=CHEATS)
def test_a_flow_that_cheats_is_refused_with_its_path(changes: Edit, path: str) -> None:
    findings = modelcheck.check(edited(**changes))
    assert any(path in finding for finding in findings), findings


MISTAKES: dict[str, tuple[str | Edit, str]] = {
    "no YAML": ("name: [", "line 1, column 8: this is no YAML"),
    "a key twice": ("name: a\nname: b\n", "line 2, column 1: this is no YAML: the key 'name' stands twice; keep one"),
    "nothing": ("", "the file: Input should be a valid dictionary"),
    "a python object": ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
    "an unknown field": ({"bribe": 1}, "bribe: Extra inputs are not permitted, found 1; remove it, or check its spelling"),
    "no version": ({"version": None}, "version: Field required; add it"),
    "a version of text": ({"version": "one"}, "version: Input should be a valid integer, found 'one'"),
    "too many supplements": ({"supplements": 4}, "supplements: Input should be less than or equal to 3, found 4"),
    "an unknown kind": ({"stages__fraud__kind": "oracle"}, "stages.fraud.kind: Input should be 'fraud', 'risk'"),
    "an unknown outcome": ({"stages__fraud__edges__maybe": "risk"}, "stages.fraud.edges.maybe"),
    "an outcome of another kind": ({"stages__fraud__edges__supplied": "risk"}, "stages.fraud.edges.supplied: a stage of kind fraud never comes to supplied"),
    "an outcome without an edge": ({"stages__fraud__edges__timeout": None}, "stages.fraud.edges: there is no edge for timeout; say where a fraud goes then"),
    "a start that is none": ({"start": "freud"}, "start: there is no stage 'freud'"),
    "an edge to nowhere": ({"stages__fraud__edges__pass": "rsik"}, "stages.fraud.edges.pass: there is no stage 'rsik'; name a stage"),
    "a mandatory stage made optional": ({"stages__fraud__optional": True}, "stages.fraud.optional: a stage of kind fraud cannot be skipped"),
    "a profile that skips a mandatory stage": ({"profiles__fast__skip": ["fraud"]}, "profiles.fast.skip: fraud is not optional"),
    "a profile that skips nothing known": ({"profiles__fast__skip": ["amazon"]}, "profiles.fast.skip: there is no stage 'amazon'"),
    "a default profile that is none": ({"default_profile": "royal"}, "default_profile: there is no profile 'royal'"),
    "no last way": ({"stages__risk__edges__pass": [{"to": "disburse", "most": 1}]}, "stages.risk.edges.pass: the last edge, and only the last"),
    "a way behind the last": ({"stages__risk__edges__pass": ["disburse", "first_review"]}, "stages.risk.edges.pass: the last edge, and only the last"),
    "a condition on the way out": (
        {"stages__risk__edges__error": [{"to": "disburse", "when": "true"}, "trouble"]}, "stages.risk.edges.error: no condition here",
    ),
    "a condition for a person": ({"stages__recheck__edges__approve": [{"to": "pricing", "when": "true"}, "rejected"]}, "edges.approve: no condition here"),
    "a condition that is none": ({"stages__risk__edges__pass": [{"to": "disburse", "when": "limit_fen >"}, "first_review"]}, "cannot be used: Unexpected end"),
    "a condition on the clock": ({"stages__risk__edges__pass": [{"to": "disburse", "when": "date('now') > 1"}, "first_review"]}, "it asks about date"),
    "a condition that throws dice": ({"stages__risk__edges__pass": [{"to": "disburse", "when": "rand(2) > 1"}, "first_review"]}, "it asks about rand"),
    "a condition that assigns": ({"stages__risk__edges__pass": [{"to": "disburse", "when": "profile = 'fast'"}, "first_review"]}, "it assigns with '='"),
    "a fact that is none": (
        {"stages__risk__edges__pass": [{"to": "disburse", "when": "bribe_fen > 1"}, "first_review"]}, "it asks about bribe_fen; the facts are",
    ),
    "one person clears": ({"stages__first_review__clears": ["risk"]}, "stages.first_review.clears: one person alone clears nothing"),
    "somebody clears the rate cap": ({"stages__recheck__clears": ["rate_cap"]}, "stages.recheck.clears: nobody may clear rate_cap"),
    "four eyes with oneself": ({"stages__recheck__four_eyes_with": ["recheck"]}, "stages.recheck.four_eyes_with: 'recheck' is no other stage of kind review"),
    "four eyes with a machine": ({"stages__recheck__four_eyes_with": ["risk"]}, "stages.recheck.four_eyes_with: 'risk' is no other stage of kind review"),
    "a review without a skill": ({"stages__recheck__skill": None}, "stages.recheck: skill and sla_s belong to stages of people"),
    "a wait for ever": ({"stages__supplement__deadline_s": None}, "stages.supplement.deadline_s: a wait needs it"),
    "a wait for anything": ({"stages__supplement__asks": ["kidney"]}, "stages.supplement.asks: nobody can bring 'kidney'"),
    "done without having paid": ({"stages__risk__edges__pass": "done"}, "stages.risk.edges.pass: 'done' is where a paid case ends, and only there"),
    "back from a machine": ({"stages__risk__edges__timeout": "back"}, "stages.risk.edges.timeout: only people and waits send a case back"),
    "a reserved name": ({"stages__approved": REVIEW | {"edges": {"approve": "risk", "reject": "rejected"}}}, "stages.approved: this name is reserved"),
    "nobody pays": ({"stages__disburse": None}, "stages: no stage of kind disburse pays out"),
}  # fmt: skip


@pytest.mark.parametrize("wrong, said", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_file_place_and_remedy(wrong: str | Edit, said: str) -> None:
    with pytest.raises(FlowRefused) as refused:
        reading.read(wrong, "flow.yaml") if isinstance(wrong, str) else edited(**wrong)
    assert any(said in finding for finding in refused.value.findings), refused.value.findings
    assert str(refused.value).startswith("flow.yaml: ")


FACTS: dict[str, Any] = dict.fromkeys(conditions.FACTS) | {"limit_fen": 200_000, "profile": "fast", "missing": ["jd"], "has_jd": False}


@pytest.mark.parametrize(
    "condition, holds", [("", True), ("limit_fen > 100000", True), ("profile == 'extended' or has_jd", False), ("contains(missing, 'jd')", True)]
)
def test_conditions_are_true_or_false(condition: str, holds: bool) -> None:
    assert conditions.mistake(condition or "true") == ""
    assert conditions.holds(condition, FACTS) is holds


@pytest.mark.parametrize("condition", ["zhima_score > 600", "limit_fen", "missing", "grade", "limit_fen / 0 > 1"])
def test_a_condition_that_comes_to_neither_is_unclear_and_never_false(condition: str) -> None:
    assert conditions.mistake(condition) == ""
    with pytest.raises(Unclear):
        conditions.holds(condition, FACTS)


@pytest.mark.parametrize("condition", ["1" * 501, "import('os')", "limit_fen > 1; true", "(((", "a.b.c", "'x", "$root.x == 1", "true ? date('now') : 1"])
def test_a_condition_of_another_kind_is_refused(condition: str) -> None:
    assert conditions.mistake(condition)


def test_a_flow_is_published_once_and_its_version_never_changes(tmp_path: Path) -> None:
    store = Store(tmp_path, "approval-1", "approval-1#1")
    with store.write() as connection:
        assert shelf.publish(connection, LOAN, 1)
        assert not shelf.publish(connection, LOAN, 2), "the same content again changes nothing"
        with pytest.raises(FlowRefused, match=r"is published with another content .* give this one a higher version"):
            shelf.publish(connection, edited(supplements=2), 3)
        with pytest.raises(FlowRefused, match="approved: skips fraud"):
            shelf.publish(connection, edited(version=2, start="risk"), 4)
        assert shelf.publish(connection, edited(version=3), 5)
        assert shelf.newest(connection, "loan") == edited(version=3).id
    assert [(flow.version, at_ms) for flow, at_ms in store.flows()] == [(1, 1), (3, 5)]
    assert store.flow(LOAN.id) == LOAN
    store.close()


def run(capsys: Any, *argv: str) -> tuple[int, str, str]:
    code = commands.run(argv)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_commands_of_flows(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("MSXF_DATA_DIR", str(tmp_path))
    good, bad = BUNDLED / "loan.yaml", tmp_path / "bad.yaml"
    bad.write_text(TEXT.replace("start: fraud", "start: risk"))
    code, out, _ = run(capsys, "flow", "check", str(good))
    assert (code, "is sound: 15 stages, 3 profiles" in out) == (0, True), out
    code, _, err = run(capsys, "flow", "check", str(bad))
    assert code == 3
    assert f"refused: {bad}: received -> risk -> approved: skips fraud (profile normal)" in err
    assert run(capsys, "flow", "publish", str(bad))[0] == 3
    assert run(capsys, "flow", "list")[1] == "nothing is published yet\n"
    assert "is published; new cases begin under it" in run(capsys, "flow", "publish", str(good))[1]
    assert "was published before; nothing changes" in run(capsys, "flow", "publish", str(good))[1]
    assert run(capsys, "flow", "list")[1] == f"loan v1 {LOAN.id.hash}\n"
    assert run(capsys, "flow", "show", "loan@1")[1] == run(capsys, "flow", "show", str(good))[1] == run(capsys, "flow", "show")[1]
    assert run(capsys, "flow", "show", "loan@2")[0] == 4
    assert run(capsys, "flow", "check", str(tmp_path / "none.yaml"))[0] == 1


def test_a_picture_shows_every_stage_and_every_edge() -> None:
    drawn, told = picture.mermaid(LOAN), picture.text(LOAN)
    assert drawn.startswith("flowchart LR\n  received((received)) --> fraud\n")
    for stage in LOAN.stages.values():
        assert f"\n{stage.name} ({stage.kind}" in told
        for outcome, edges in stage.edges.items():
            for edge in edges:
                assert f"  {stage.name} -->|\"{outcome}" in drawn
                assert f"| {edge.to}" in drawn
    assert "risk -->|\"missing if profile == 'extended' (at most 1x)\"| taobao" in drawn
    assert "class taobao,jd optional" in drawn


DOCS = (Path(__file__).parents[2] / "docs" / "finance-apps.md").read_text()


def test_the_document_knows_every_kind_fact_and_outcome_and_its_refusals_are_real() -> None:
    rows = [line for line in DOCS.splitlines() if line.startswith("| `")]
    for kind, rule in RULES.items():
        row = next(line for line in rows if f"`{kind}`" in line.split("|")[1])
        told = row.split("|")[2].split(";")[0]
        assert "as risk" in told or {word.strip() for word in told.split(",")} == {str(each) for each in rule.outcomes | rule.may}
    assert set(re.findall(r"[a-z_0-9]+", DOCS.split("over the facts ", 1)[1].split(". None", 1)[0])) == conditions.FACTS
    found = {finding for changes, _ in CHEATS.values() for finding in modelcheck.check(edited(**changes))}
    printed = DOCS.split("conditions taken both ways, and refuses:\n```\n", 1)[1].split("\n```", 1)[0].splitlines()
    assert set(printed) <= found, sorted(found)
