"""The policy as the log has switched it: rules published, switched on and switched off stand in place of the shipped ones of the same id. Pure."""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import yaml

from reference_apps.fraud.notes import Switch
from reference_apps.fraud.policy import policy
from reference_apps.fraud.policy.policy import BadPolicy, Policy

Told = Mapping[str, Any]


def content_of(rule: Told) -> str:
    """Return the hash of what a rule says, whatever its state: what was tried and what is switched on must have the same."""
    said = {name: value for name, value in rule.items() if name != "state"}
    return sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def rules_of(held: Policy) -> dict[str, Told]:
    """Return the rules of a policy as they were declared, by id."""
    return {rule["id"]: rule for rule in yaml.safe_load(held.text)["rules"]}


def with_rule(held: Policy, rule: Told) -> Policy:
    """Return a policy in which a rule stands in place of the one of its id, or behind all others. Raises BadPolicy."""
    told = yaml.safe_load(held.text)
    rules = {each["id"]: each for each in told["rules"]} | {str(rule.get("id")): dict(rule)}
    return policy.build(yaml.safe_dump(told | {"rules": list(rules.values())}, allow_unicode=True, sort_keys=True, width=160))


def switched(shipped: Policy, switches: Iterable[Switch]) -> Policy:
    """Return the shipped policy after these switches. One that this release cannot build (a fact it does not know) has no effect."""
    held = shipped
    for each in {switch.rule: switch for switch in switches}.values():
        try:
            held = with_rule(held, each.told)
        except BadPolicy:
            continue
    return held
