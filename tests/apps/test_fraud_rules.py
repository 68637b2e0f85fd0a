"""Rules as Python: what is plain says what the engine says of any facts, and what is not plain, or would not agree, stays with the engine."""

from typing import Any

import msgspec
import pytest
import yaml
import zen
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.spec import FAMILIES, NOTHING
from reference_apps.fraud.model import Event
from reference_apps.fraud.models.scoring import Look
from reference_apps.fraud.policy import plain, policy
from tests.apps.fraud_work import event

KINDS: dict[str, type] = {"count": int, "late_ms": int, "kind": str, "emulator": bool, "rooted": bool, "speed": float}
SHIPPED = policy.load()

numbers = st.sampled_from((0, 1, 2, 19, 20, 21, 86_400_000, 10**13))
texts = st.sampled_from(("", "login", "payment", "it's", 'the "new"'))
compared = st.sampled_from(("<", "<=", ">", ">=", "==", "!="))
told = st.sampled_from(("==", "!="))
words = texts.filter(lambda text: '"' not in text).map(lambda text: f'"{text}"')
leaves = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from(("count", "late_ms")), compared, numbers),
    st.builds("{} {} {}".format, numbers, compared, st.just("count")),
    st.builds("count {} late_ms".format, compared),
    st.builds("kind {} {}".format, told, words),
    st.builds("{} {} {}".format, st.sampled_from(("emulator", "rooted")), told, st.sampled_from(("true", "false", "rooted"))),
    st.sampled_from(("emulator", "rooted", "true", "not emulator", "not (count > 3)")),
)


def joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return expressions of these, with parentheses and without: which binds stronger must be as the engine has it."""
    both = st.sampled_from(("{} and {}", "{} or {}", "({}) and {}", "({} or {})", "{} and ({})", "not ({} and {})"))
    return st.builds(lambda form, one, other: form.format(one, other), both, parts, parts)


expressions = st.recursive(leaves, joined, max_leaves=5)
facts = st.fixed_dictionaries({"count": numbers, "late_ms": numbers, "kind": texts, "emulator": st.booleans(), "rooted": st.booleans()})


@settings(deadline=None, max_examples=300)
@given(expressions, st.lists(facts, min_size=1, max_size=8))
def test_a_plain_rule_says_what_the_engine_says(when: str, several: list[dict[str, Any]]) -> None:
    engine = zen.compile_expression(when)
    made = plain.python(when, KINDS, engine.evaluate)
    assert made is not None, "everything here is plain"
    for known in several:
        assert eval(plain.over(made, {name: f"known[{name!r}]" for name in KINDS}), {"known": known}) is engine.evaluate(known)


@pytest.mark.parametrize(
    "when",
    [
        "speed > 1200",
        "count > 1.5",
        "count + 1 > 3",
        "count in [1..3]",
        "kind in ['login', 'payment']",
        "count > 1 ? true : false",
        "emulator == count",
        "kind > 'a'",
        "count",
        "1 < count < 3",
        "len(kind) > 3",
        "emulator and count",
        "unknown > 3",
        r"kind == 'a\'b'",
        "count > 1 # and emulator",
        "count >",
    ],
)
def test_what_is_not_plain_stays_with_the_engine(when: str) -> None:
    assert plain.python(when, KINDS, lambda _: pytest.fail("there is nothing to try")) is None


def test_what_does_not_agree_with_the_engine_stays_with_it() -> None:
    other = zen.compile_expression("count > 20 and emulator")
    assert plain.python("count >= 20 and emulator", KINDS, other.evaluate) is None, "it is tried where it turns"
    assert plain.python("count > 20 and emulator", KINDS, other.evaluate) == "count > 20 and emulator"


RULES = (
    ("burst", "account_60s_count >= 20 and kind == 'login'", ["account_60s_count", "kind"]),
    ("far", "geo_speed_kmh > 900.5 and new_device", ["geo_speed_kmh", "new_device"]),
    ("known", "emulator or rooted != true", ["emulator", "rooted"]),
    ("late", "late_ms > 5 and not (ring > 3)", ["late_ms", "ring"]),
    ("shop", "merchant_category in ['jewellery']", ["merchant_category"]),
    ("young", "activated_days < 3", ["activated_days"]),
)
MADE = policy.build(
    yaml.safe_dump(
        yaml.safe_load(SHIPPED.text)
        | {"rules": [{"id": name, "when": when, "facts": named, "verdict": "review", "state": "active", "words": name} for name, when, named in RULES]}
    )
)
evidence = st.fixed_dictionaries(
    {},
    optional={
        "geo_speed_kmh": st.floats(0, 2_000),
        "new_device": st.booleans(),
        "emulator": st.booleans(),
        "rooted": st.booleans(),
        "merchant_category": st.sampled_from(("jewellery", "food")),
        "activated_days": st.integers(0, 6),
        "kind": st.sampled_from(("login", "payment")),
    },
)


def by_the_engine(held: policy.Policy, look: Look, late_ms: int) -> list[str]:
    """Return the rules that hold as the engine says, one by one."""
    known = ((rule, rule.known(look, late_ms)) for rule in held.rules)
    return sorted(rule.id for rule, told in known if told is not None and rule.expression.evaluate(told) is True)


@settings(deadline=None, max_examples=200)
@given(evidence, st.integers(18, 22), st.integers(1, 6), st.integers(0, 10))
def test_all_rules_together_say_what_each_says_by_the_engine(told: dict[str, Any], count: int, ring: int, late_ms: int) -> None:
    look = Look(event(1, **told), ((count,) * len(NOTHING),) * len(FAMILIES), Ties(ring=ring, bad_near=ring, near=9))
    for held in (MADE, SHIPPED):
        assert [rule.id for rule in held.hits(look, late_ms)] == by_the_engine(held, look, late_ms)


def test_the_shipped_rules_are_plain_but_for_the_one_with_a_fraction() -> None:
    assert [rule.id for rule in SHIPPED.rules if rule.python is None] == ["impossible_travel"]
    assert {rule.id for rule in MADE.rules if rule.python is None} == {"far", "shop"}
    assert (
        set(policy.KINDS_OF_FACTS)
        == set(policy.FACTS)
        >= set(msgspec.structs.asdict(Event(id="", kind="", at_ms=0, account="")))
        - {*("id", "at_ms", "account", "device", "phone", "network", "address", "merchant", "contacts")}
    )
