"""The eleven models and the policy: samples, more of a bad sign never lowers a score, no score without required inputs, errors of a policy named."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.fraud.features.graph import Marks, Rings, Ties
from reference_apps.fraud.features.shard import Shard
from reference_apps.fraud.features.spec import NOTHING
from reference_apps.fraud.model import Event, Evidence, Family, Listing, ListKind, Verdict
from reference_apps.fraud.models.all import MODELS, NAMES, probabilities
from reference_apps.fraud.models.scoring import Look
from reference_apps.fraud.policy import policy
from reference_apps.fraud.policy.judge import judge
from tests.apps.fraud_work import BEGIN_MS, event

SAMPLES: dict[str, dict[str, dict[str, Any]]] = json.loads((Path(__file__).parent / "fraud_models.json").read_text())
POLICY = policy.load()
TEXT = (Path(policy.__file__).parent / "policy.yaml").read_text()
SIGNS = {sign.field: sign for model in MODELS for sign in model.signs if sign.field}


def look_at(fields: dict[str, Any]) -> Look:
    """Return an event that comes after five others that share its device, phone or contact when those are the busy ones."""
    shard = Shard()
    busy = {"device": "farm", "contacts": ("boss",)}
    for number in range(5):
        shard.apply(number + 1, event(number, BEGIN_MS + number, **busy, phone="busy"))
    current = event(9, BEGIN_MS + 60_000, **{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
    known = shard.apply(6, current)
    return Look(current, tuple(figures or NOTHING for figures in known.figures), known.ties or Ties())


@pytest.mark.parametrize("name", NAMES)
def test_good_samples_score_low_and_bad_ones_high(name: str) -> None:
    number = NAMES.index(name)
    good, bad = (look_at(SAMPLES[name][kind]) for kind in ("good", "bad"))
    low, high = probabilities(good)[number], probabilities(bad)[number]
    assert low is not None
    assert high is not None
    assert low < 60_000 < 700_000 < high, (low, high)
    assert MODELS[number].explain(bad).count(";") == 2, "three reasons at most"
    assert judge(POLICY, good, ()).verdict is Verdict.PASS
    assert judge(POLICY, bad, ()).verdict >= Verdict.REVIEW


@pytest.mark.parametrize("name", NAMES)
def test_without_a_required_input_there_is_no_score(name: str) -> None:
    model = MODELS[NAMES.index(name)]
    assert model.required
    for field in model.required:
        lacking = {key: value for key, value in SAMPLES[name]["bad"].items() if key != field}
        look = look_at(lacking | ({field: ""} if field in ("device", "phone") else {}))
        assert probabilities(look)[NAMES.index(name)] is None
        assert f"{field} unknown" in model.explain(look)


def test_every_input_is_read_by_a_model() -> None:
    read = {field for model in MODELS for sign in model.signs for field in Evidence.__struct_fields__ if f"e.{field}" in sign.expression}
    assert read | {field for model in MODELS for field in model.required} >= set(Evidence.__struct_fields__)
    assert set(SAMPLES) == set(NAMES)
    for model in MODELS:
        assert set(model.required) <= set(SAMPLES[model.name]["good"]), model.name


def worse(field: str, value: Any, by: float) -> Any:
    """Return a value of an evidence field that is as bad or worse."""
    direction = SIGNS[field].worse
    if isinstance(value, bool):
        return value if by < 0.5 else direction > 0
    kind = type(value)
    if kind is float and value <= 1:
        return min(1.0, value + by) if direction > 0 else max(0.0, value - by)
    return kind(value * (1 + by)) if direction > 0 else min(value, max(kind(1), kind(value * (1 - by))))


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(NAMES), st.sampled_from(("good", "bad")), st.sampled_from(sorted(SIGNS)), st.floats(0, 1))
def test_more_of_a_bad_sign_never_lowers_a_score_or_a_verdict(name: str, kind: str, field: str, by: float) -> None:
    given_ = SAMPLES[name][kind]
    if field not in given_:
        return
    before, after = look_at(given_), look_at(given_ | {field: worse(field, given_[field], by)})
    for one, other in zip(probabilities(before), probabilities(after), strict=True):
        assert one is None or other is None or one <= other
    assert judge(POLICY, before, ()).verdict <= judge(POLICY, after, ()).verdict


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 1_000_000), min_size=11, max_size=11), st.integers(0, 10), st.integers(0, 1_000_000))
def test_the_result_is_monotone_in_every_probability(given_: list[int], number: int, more: int) -> None:
    raised = [*given_[:number], min(1_000_000, given_[number] + more), *given_[number + 1 :]]
    sums = zip(POLICY.typologies, POLICY.sums(given_), POLICY.sums(raised), strict=True)
    assert all(typology.verdict(before) <= typology.verdict(after) for typology, before, after in sums)
    assert POLICY.is_reached(raised) is any(value >= typology.step_up for typology, value in zip(POLICY.typologies, POLICY.sums(raised), strict=True))


def test_a_typology_is_reached_at_its_step_up_to_the_millionth() -> None:
    number, bound = next((weights[0][0], typology.step_up) for typology in POLICY.typologies if len(weights := typology.weights) == 1)
    below, at = ([1] * number + [value] + [1] * (len(NAMES) - number - 1) for value in (bound - 1, bound))
    assert (POLICY.is_reached(below), POLICY.is_reached(at)) == (False, True)


def test_the_block_list_always_wins_and_reasons_stand_in_a_fixed_order() -> None:
    def listed(kind: ListKind, family: Family, value: str) -> Listing:
        return Listing(kind=kind, family=family, value=value, from_ms=0, until_ms=2**60, reason="seen before")

    for name in NAMES:
        look = look_at(SAMPLES[name]["bad"])
        white, block = listed(ListKind.WHITE, Family.ACCOUNT, "a9"), listed(ListKind.BLOCK, Family.ACCOUNT, "a9")
        made = judge(POLICY, look, (block, white))
        assert made.verdict is Verdict.BLOCK
        assert len(made.reasons) <= 5
        assert list(made.reasons) == sorted(made.reasons, key=lambda reason: (-reason.weight, reason.code))
        assert judge(POLICY, look, (white,)).verdict >= Verdict.REVIEW, "white lifts no review"


def changed(**rule: Any) -> str:
    told = yaml.safe_load(TEXT)
    told["rules"].append({"id": "new", "when": "ring >= 3", "facts": ["ring"], "verdict": "review", "state": "active", "words": "a ring of {ring}"} | rule)
    return yaml.safe_dump(told, allow_unicode=True)


def test_a_rule_in_shadow_is_reported_and_changes_nothing() -> None:
    look = msgspec.structs.replace(look_at({"contacts": ["mother"]}), ties=Ties(ring=4))
    active, shadow = (judge(policy.build(changed(state=state)), look, ()) for state in ("active", "shadow"))
    assert (active.verdict, [each.text for each in active.reasons]) == (Verdict.REVIEW, ["a ring of 4"])
    assert (shadow.verdict, shadow.reasons, [each.code for each in shadow.shadow]) == (Verdict.PASS, (), ["new"])


def test_a_rule_whose_facts_are_not_known_does_not_apply() -> None:
    made = policy.build(changed(when="geo_speed_kmh > 900 and ring >= 1", facts=["geo_speed_kmh", "ring"], words="{geo_speed_kmh} km/h"))
    assert judge(made, look_at({}), ()).verdict is Verdict.PASS
    assert judge(made, look_at({"geo_speed_kmh": 1000.0}), ()).reasons[0].text == "1000.0 km/h"


@pytest.mark.parametrize(
    "text, named",
    [
        ("[]", "`kinds` is missing"),
        (changed(when="ring >="), "rule 'new': 'ring >=' does not work"),
        (changed(when="ring + 1"), "rule 'new': 'ring . 1' says 2.0; it must say true or false"),
        (changed(when="ring > 1 and shoe > 2"), "name every fact that it uses under `facts`"),
        (changed(facts=["ring", "shoe_size"]), r"facts \['shoe_size'\] are not known"),
        (changed(verdict="hang"), "verdict 'hang'"),
        (changed(state="asleep"), "state 'active'|state 'asleep'"),
        (changed(words="{shoe}"), "the words '{shoe}' name 'shoe'"),
        (changed(id="ring"), r"ids \['ring'\] are used twice"),
        (changed(colour="red"), "has the fields"),
        (TEXT.replace("weights: {device_cluster: 1.0}", "weights: {device_closter: 1.0}"), "there is no model 'device_closter'"),
        (TEXT.replace("weights: {device_cluster: 1.0}", "weights: {device_cluster: -1.0}"), "give each model one above 0"),
        (TEXT.replace("step_up: 0.3, review: 0.5, block: 0.9}", "step_up: 0.6, review: 0.5, block: 0.9}"), "they must grow from step_up"),
        (TEXT.replace("  login:", "  dance:"), "declare exactly"),
    ],
)
def test_a_policy_that_errs_is_refused_and_says_where(text: str, named: str) -> None:
    with pytest.raises(policy.BadPolicy, match=named):
        policy.build(text)


links = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30)


@settings(deadline=None, max_examples=100)
@given(links)
def test_rings_are_who_can_reach_one_another(pairs: list[tuple[int, int]]) -> None:
    rings, groups = Rings(), {number: {number} for number in range(13)}
    for one, other in pairs:
        rings.join(f"a{one}", f"a{other}")
        together = groups[one] | groups[other]
        for member in together:
            groups[member] = together
    assert [rings.size(f"a{number}") for number in range(13)] == [len(groups[number]) for number in range(13)]


def test_ties_of_a_small_ring_with_a_bad_account_near_by() -> None:
    shard, day = Shard(), 86_400_000
    mark = Listing(kind=ListKind.BLOCK, family=Family.ACCOUNT, value="a1", from_ms=0, until_ms=5, reason="fraud")
    shard.apply(1, event(1, BEGIN_MS, device="d"))
    shard.apply(2, event(2, BEGIN_MS + 10, device="d", contacts=("c",)))
    shard.note(3, mark)
    found = shard.apply(4, event(3, BEGIN_MS + day + 5, contacts=("c",))).ties
    assert found == Ties(sharing=1, ring=3, near=1, new_24h=3, linked=("a2",)), "2 named the contact less than a day before; 3 is new on its device and contact"
    found = shard.apply(5, event(2, BEGIN_MS + day + 20, device="d", contacts=("c", "c"))).ties
    assert found == Ties(sharing=1, ring=3, near=2, bad_near=1, new_24h=1)
    marks = Marks()
    marks.note(mark)
    marks.note(msgspec.structs.replace(mark, until_ms=0))
    assert marks.bad == set(), "an entry that is taken back marks nobody"


def test_what_everybody_shares_links_nobody_further() -> None:
    shard = Shard()
    for number in range(230):
        last = shard.apply(number + 1, event(number, BEGIN_MS + number, contacts=("hotline",))).ties
    assert last is not None
    assert (last.ring, last.sharing) == (1, 200)


def test_a_listing_names_every_family() -> None:
    assert {family.value for family in Family} == {"account", "device", "phone", "ip", "address", "merchant", "contact"}
    assert Event(id="e", kind="login", at_ms=0, account="a", network="10.0.0.0/24").keys(Family.IP) == ("10.0.0.0/24",)
