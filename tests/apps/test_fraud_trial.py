"""Trying rules on history: the table is a function of the log, no rule is switched on untried without a reason, and one that is on judges from there on."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.fraud.cases.book import Book
from reference_apps.fraud.console import cli
from reference_apps.fraud.features.spec import DAY_MS
from reference_apps.fraud.keeping.log import Log
from reference_apps.fraud.keeping.people import Role
from reference_apps.fraud.model import Event, Family, Listing, ListKind
from reference_apps.fraud.notes import Switch, Trial
from reference_apps.fraud.policy import policy
from reference_apps.fraud.policy.policy import BadPolicy
from reference_apps.fraud.policy.switching import content_of, rules_of, switched, with_rule
from reference_apps.fraud.serving.replay import replay
from reference_apps.fraud.trying import permission, trial
from tests.apps.fraud_cases import Client, check, opened, token_of, until
from tests.apps.fraud_work import BEGIN_MS, event, shuffled_log

POLICY = policy.load()
BIG = {"id": "big", "when": "amount_fen >= 900000", "facts": ["amount_fen"], "verdict": "review", "state": "active", "words": "{amount_fen} fen at once"}
SHADOW = {name: value for name, value in BIG.items() if name != "state"}


def amounts(*fen: int, hours: float = 1) -> list[tuple[int, Event]]:
    """Return a log of strangers who ask for these amounts, so far apart."""
    return list(enumerate((event(number, BEGIN_MS + int(number * hours * 3_600_000), amount_fen=each) for number, each in enumerate(fen, 1)), 1))


def row(table: dict[str, Any], name: str = "big") -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in table["rules"] if each["id"] == name)
    return found


def test_a_rule_tried_by_hand() -> None:
    log = amounts(*[100, 950_000] * 60, hours=1.2)
    labels = {f"e{number}": number % 2 == 0 and number <= 80 for number in range(1, 101)}
    found = row(trial.trial(POLICY, with_rule(POLICY, BIG), log, labels))
    assert (found["hits"], found["alerts"], found["share"]) == (60, 60, 0.5)
    assert found["alerts_per_day"] == pytest.approx(60 / (119 * 1.2 / 24), abs=0.01)
    assert found["changes"] == [{"from": "pass", "to": "review", "events": 60}]
    assert found["precision"] == {"value": 0.8, "n": 50, "too_few": False}, "40 of the 50 labelled that it would have stopped were fraud"
    assert found["recall"] == {"value": 1.0, "n": 40, "too_few": False}
    assert found["examples"] == ["e2", "e4", "e6", "e8", "e10"]
    assert found["content"] == content_of(BIG)


def test_few_labels_say_nothing_and_no_events_are_no_trouble() -> None:
    found = row(trial.trial(POLICY, with_rule(POLICY, BIG), amounts(950_000, 950_000), {"e1": True}))
    assert (found["precision"], found["recall"]) == ({"value": None, "n": 1, "too_few": True}, {"value": None, "n": 1, "too_few": True})
    empty = trial.trial(POLICY, with_rule(POLICY, BIG), [], {})
    assert (empty["events"], row(empty)["share"], row(empty)["examples"]) == (0, 0.0, [])


def test_only_the_last_days_count_but_all_of_the_log_is_replayed() -> None:
    same = {"id": "again", "when": "account_24h_count >= 3", "facts": ["account_24h_count"], "verdict": "step-up", "state": "active", "words": "again"}
    log = [(number, event(number, BEGIN_MS + number * DAY_MS // 4, account="a", amount_fen=100)) for number in range(1, 9)]
    found = trial.trial(POLICY, with_rule(POLICY, same), log, {}, since_ms=log[6][1].at_ms)
    assert (found["events"], row(found, "again")["hits"]) == (2, 2)
    assert row(found, "again")["alerts"] == 0, "a step-up is no alert"


def test_overlap_and_white_lists_are_those_of_the_judge() -> None:
    white = Listing(kind=ListKind.WHITE, family=Family.ACCOUNT, value="a2", from_ms=0, until_ms=2**50, reason="staff")
    mild = BIG | {"verdict": "step-up"}
    found = row(trial.trial(POLICY, with_rule(POLICY, mild), [(1, white), (2, event(2, amount_fen=950_000)), (3, event(3, amount_fen=950_000))], {}))
    assert (found["hits"], found["changes"]) == (2, [{"from": "pass", "to": "step-up", "events": 1}])
    farm = [(number, event(number, device="d", amount_fen=950_000)) for number in range(1, 5)]
    both = row(trial.trial(POLICY, with_rule(POLICY, BIG), farm, {}))
    assert {each["id"]: each["events"] for each in both["overlap"]}["device_farm"] == 2
    assert both["changes"] == [{"from": "pass", "to": "review", "events": 2}], "it never makes a verdict milder"


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.integers(100_000, 990_000), st.sampled_from(["step-up", "review", "block"]))
def test_the_same_log_gives_the_same_table_and_what_a_rule_would_change_is_what_it_changes(seed: int, floor: int, verdict: str) -> None:
    log = list(enumerate(shuffled_log(150, seed, days=2), 1))
    rule = BIG | {"when": f"amount_fen >= {floor}", "verdict": verdict}
    chosen = with_rule(POLICY, rule)
    table = trial.trial(POLICY, chosen, log, {})
    assert table == trial.trial(POLICY, chosen, iter(log), {})
    assert row(table)["changes"] == table["changes"], "a rule tried alone changes what the whole policy changes"
    pairs = [(old.judgement.verdict, new.judgement.verdict) for old, new in zip(replay(POLICY, log), replay(chosen, log), strict=True)]
    assert sum(each["events"] for each in table["changes"]) == sum(old is not new for old, new in pairs)


def test_the_hash_of_a_rule_is_of_what_it_says_not_of_its_state() -> None:
    assert content_of(BIG) == content_of(BIG | {"state": "shadow"}) == content_of(dict(reversed(BIG.items())))
    assert content_of(BIG) != content_of(BIG | {"verdict": "block"})


def switch(rule: dict[str, Any], state: str, number: int = 1) -> Switch:
    return Switch(id=f"s{number}", by="chen", at_ms=0, told=rule | {"state": state}, content=content_of(rule))


def test_switches_change_the_policy_and_one_that_cannot_be_built_changes_nothing() -> None:
    on = switched(POLICY, [switch(BIG, "shadow"), switch(BIG, "active", 2)])
    assert rules_of(on)["big"]["state"] == "active"
    assert set(rules_of(on)) == set(rules_of(POLICY)) | {"big"}
    assert switched(POLICY, []) is POLICY
    assert switched(POLICY, [switch(BIG | {"facts": ["of another release"]}, "active")]) is POLICY
    with pytest.raises(BadPolicy, match="used twice"):
        with_rule(POLICY, BIG | {"id": "ring"})


def test_a_rule_may_be_switched_on_after_a_trial_or_a_time_in_shadow_of_exactly_what_it_says() -> None:
    content, book, rival = content_of(BIG), Book(), BIG | {"verdict": "block"}

    def basis(book: Book, rule: dict[str, Any] = BIG) -> str | None:
        return permission.basis(rule, book.kept.trials, book.kept.switches, book.kept.position)

    assert basis(book) is None
    for number, (what, events) in enumerate([(content, permission.FEWEST_EVENTS - 1), ("another", 5000)]):
        book.note(number + 1, Trial(id=f"t{number}", by="li", at_ms=0, rule="big", content=what, events=events, table={}))
    assert basis(book) is None, "too few events; something else"
    book.note(3, Trial(id="t3", by="li", at_ms=0, rule="big", content=content, events=permission.FEWEST_EVENTS, table={}))
    assert basis(book) == "a trial over 1000 events by li"
    shadow = Book()
    shadow.note(10, switch(BIG, "shadow"))
    shadow.go_to(1009)
    assert basis(shadow) is None
    shadow.go_to(1010)
    assert basis(shadow) == "1000 entries of the log in shadow"
    shadow.note(1011, switch(rival, "shadow", 2))
    assert basis(shadow, rival) is None, "a new text begins anew"


def laid_down(folder: Path, count: int = 1100) -> None:
    """Write a log of strangers, every tenth of whom asks for much; nothing is judged yet."""
    log = Log(folder, "before")
    log.append([each for _, each in amounts(*([100] * 9 + [950_000]) * (count // 10), hours=0.1)])
    log.close()


def told(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    status = cli.run([str(each) for each in args])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_console_tries_a_rule_and_refuses_to_switch_on_what_was_not_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    laid_down(tmp_path)
    file = tmp_path / "candidate.yaml"
    file.write_text(with_rule(POLICY, BIG | {"state": "shadow"}).text)
    there = ("--log", str(tmp_path))
    status, out, _ = told(capsys, "try", *there, "--policy", str(file), "--rule", "big")
    assert status == 0
    assert out.splitlines()[:2] == ["1,100 events over 4.58 days; labelled: 0 fraud, 0 honest", "  pass -> review: 110"]
    assert out.splitlines()[4].split()[:8] == ["big", "active", "110", "110", "10.000%", "24.02", "too", "few"]
    status, whole, _ = told(capsys, "try", *there, "--policy", str(file), "-o", "json")
    assert (status, row(json.loads(whole))["hits"], json.loads(whole)["changes"]) == (0, 110, [])
    status, _, error = told(capsys, "activate", *there, "bad_company", "--by", "chen")
    assert (status, "was neither tried on 1000 events" in error) == (3, True)
    assert told(capsys, "activate", *there, "bad_company", "--by", "chen", "--anyway")[0] == 2, "anyway needs a reason"
    assert told(capsys, "try", *there, "--rule", "bad_company", "--by", "li")[0] == 0
    status, out, _ = told(capsys, "activate", *there, "bad_company", "--by", "chen")
    assert (status, out) == (0, "bad_company is switched on, on a trial over 1100 events by li\n")
    state = {each["id"]: each["state"] for each in json.loads(told(capsys, "rules", *there, "-o", "json")[1])["rules"]}
    assert (state["bad_company"], state["network_burst"]) == ("active", "shadow")
    assert told(capsys, "activate", *there, "network_burst", "--by", "chen", "--anyway", "--reason", "under attack")[0] == 0
    assert told(capsys, "deactivate", *there, "bad_company", "--by", "chen", "--reason", "too many")[0] == 0
    log = Log(tmp_path, "look")
    assert [(each.rule, each.told["state"], each.by, each.basis, each.reason) for each in log.switches()] == [
        ("bad_company", "active", "chen", "a trial over 1100 events by li", ""),
        ("network_burst", "active", "chen", "nothing: anyway", "under attack"),
        ("bad_company", "shadow", "chen", "", "too many"),
    ]
    log.close()


def test_the_console_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = told(capsys, "try", "--log", str(tmp_path))
    assert (nowhere[0], "has no events.db" in nowhere[2]) == (4, True)
    laid_down(tmp_path, 10)
    there = ("--log", str(tmp_path))
    (tmp_path / "bad.yaml").write_text("rules: 1")
    (tmp_path / "labels.csv").write_text("event_id,fraud\ne1,perhaps\n")
    assert "there is no rule 'nope'" in told(capsys, "try", *there, "--rule", "nope")[2]
    assert "missing or no" in told(capsys, "try", *there, "--policy", str(tmp_path / "bad.yaml"))[2]
    assert "line 2: fraud is 'perhaps'" in told(capsys, "try", *there, "--labels", str(tmp_path / "labels.csv"))[2]
    assert told(capsys, "activate", *there, "nope", "--by", "li")[0] == 4
    status, token, _ = told(capsys, "person", "add", *there, "li.wei", "--name", "Li Wei")
    assert (status, len(token.strip()) > 30) == (0, True)
    assert told(capsys, "person", "add", *there, "li.wei", "--name", "Li Wei")[0] == 3
    assert told(capsys, "person", "revoke", *there, "li.wei")[0] == 0
    assert "revoked" in told(capsys, "person", "list", *there)[1]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_a_rule_goes_from_shadow_over_a_trial_into_force_beside_live_traffic(tmp_path: Path) -> None:
    laid_down(tmp_path)

    async def story() -> None:
        async with opened(tmp_path) as app:
            li, chen = Client(app, token_of(app, "li")), Client(app, token_of(app, "chen", Role.SUPERVISOR))
            assert (await li.post("/v1/rules", SHADOW))["status"] == 403
            published = await chen.post("/v1/rules", SHADOW)
            assert (published["status"], published["state"]) == (201, "shadow")
            before = await li.post("/v1/checks", check("a", "d1", amount_fen=950_000))
            assert (before["verdict"], before["shadow"][0]["code"]) == ("pass", "big")
            live = await until(lambda: li.get("/v1/rules"), lambda each: row({"rules": each["items"]})["shadow"]["hits"] >= 1)
            assert row({"rules": live["items"]})["shadow"]["would_change"] == [{"from": "pass", "to": "review", "events": 1}]
            wanted = {"content": published["content"]}
            refused = await chen.post("/v1/rules/big/activate", wanted)
            assert (refused["status"], refused["code"]) == (409, "untried")
            assert (await chen.post("/v1/rules/big/activate", wanted | {"anyway": True}))["code"] == "untried", "without a reason"
            begun = await li.post("/v1/trials", {"rule": "big"})
            assert (await li.post("/v1/trials", {"rule": "big"}))["status"] == 429
            assert (await li.post("/v1/checks", check("b", "d2")))["verdict"] == "pass", "verdicts go on meanwhile"
            done = await until(lambda: li.get(f"/v1/trials/{begun['id']}"), lambda each: each["state"] != "running")
            assert (done["state"], done["by"], done["table"]["rules"][0]["alerts"]) == ("done", "li", 111)
            other = await chen.post("/v1/rules/big/activate", {"content": "0" * 16})
            assert (other["status"], other["code"]) == (409, "other_content")
            active = await chen.post("/v1/rules/big/activate", wanted)
            assert (active["state"], active["switched"]["by"], active["switched"]["basis"][:14]) == ("active", "chen", "a trial over 1")
            after = await li.post("/v1/checks", check("c", "d3", amount_fen=950_000))
            assert (after["verdict"], after["policy"] == before["policy"]) == ("review", False)
            assert (await chen.post("/v1/rules", SHADOW | {"verdict": "block"}))["code"] == "active", "what is in force is not replaced in passing"
        async with opened(tmp_path) as again:
            client = Client(again, token_of(again, "wang"))
            assert (await client.post("/v1/checks", check("e", "d4", amount_fen=950_000)))["verdict"] == "review", "what was switched on stays on"
            assert (await client.get(f"/v1/trials/{begun['id']}"))["table"] == done["table"]

    run(story())


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        ("/v1/rules", SHADOW | {"when": "amount_fen >="}, 422, "does not work"),
        ("/v1/rules", SHADOW | {"facts": ["moon"]}, 422, "moon"),
        ("/v1/rules", SHADOW | {"verdict": "pass"}, 422, "verdict"),
        ("/v1/rules", SHADOW | {"id": "Ring!"}, 422, "id"),
        ("/v1/rules", SHADOW | {"state": "active"}, 422, "state"),
        ("/v1/rules", SHADOW | {"id": "ring"}, 422, "used twice"),
        ("/v1/trials", {"rule": "nope"}, 404, "nope"),
        ("/v1/trials", {"rule": "bad_company", "days": 0}, 422, "days"),
        ("/v1/trials", {"rule": SHADOW | {"when": "amount_fen + 1"}}, 422, "true or false"),
        ("/v1/rules/nope/activate", {"content": "0" * 16}, 404, "nope"),
        ("/v1/rules/bad_company/activate", {"content": "x"}, 422, "content"),
        ("/v1/rules/bad_company/deactivate", {}, 422, "reason"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(tmp_path: Path, path: str, body: Any, status: int, named: str) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            answer = await Client(app, token_of(app, "chen", Role.SUPERVISOR)).post(path, body)
            assert (answer["status"], named in answer["detail"]) == (status, True), answer
            assert app.desk.log.last() == 0

    run(story())
