"""Mistakes in the catalog's files: each kind is named with its file, line, field and remedy, all in one run; and what lies over what."""

import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from ctl.backends.catalog import folder as catalogs
from ctl.backends.catalog.folder import YamlCatalog
from ctl.decide.catalog_rules import judge
from ctl.errors import BadInput, CatalogMistakes
from ctl.model.view import MistakeView

GOOD = """
    name: risk
    domain: middle
    summary: Decides.
    owner: team-risk
    tier: 1
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a catalog: file name (with / for a domain) to text."""

    def written(**files: str) -> Path:
        for name, text in files.items():
            file = tmp_path / "catalog" / name.replace("__", "/").replace("_", "-")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.with_name(f"{file.name}.yaml").write_text(textwrap.dedent(text).lstrip("\n"))
        return tmp_path / "catalog"

    return written


def found(folder: Path) -> list[MistakeView]:
    return catalogs.mistakes(folder, judge=judge)


def with_lines(*lines: str) -> str:
    """A good service with more lines; the first of them is line 6."""
    return textwrap.dedent(GOOD) + "\n".join(lines) + "\n"


MISTAKES = [
    ("unknown field", ["ownr: x"], 6, "ownr", "unknown field", "did you mean owner?"),
    ("unknown field below", ["rollout:", "  surg: 1"], 7, "rollout.surg", "unknown field", "did you mean surge?"),
    ("unknown field in a list", ["limits:", "  - {route: /, rsp: 3, rps: 3}"], 7, "limits[0].rsp", "unknown field", "did you mean rps?"),
    ("unknown field, nothing near", ["zzz: 1"], 6, "zzz", "unknown field", "use one of name, domain"),
    ("duplicate key", ["owner: other"], 6, "owner", "duplicate key (first at line 4)", "keep one"),
    ("duplicate key below", ["replicas:", "  prod: 1", "  prod: 2"], 8, "replicas.prod", "duplicate key (first at line 7)", "keep one"),
    ("word of a boolean", ["config:", "  verify: no"], 7, "config.verify", "YAML 1.1 reads no as the boolean false", 'write "no" in quotes'),
    ("word of a boolean as a key", ["config: {on: x}"], 6, "config.on", "YAML 1.1 reads the key on as the boolean true", 'write "on" in quotes'),
    ("base 60", ["config: {quiet: 22:22}"], 6, "config.quiet", "YAML 1.1 reads 22:22 as the base-60 number 1342", 'write "22:22" in quotes'),
    ("octal", ["config: {area: 010}"], 6, "config.area", "YAML 1.1 reads 010 as the octal number 8", 'write "010" in quotes, or 8'),
    ("octal where a number is wanted", ["replicas: {prod: 012}"], 6, "replicas.prod", "YAML 1.1 reads 012 as the octal number 10", "in quotes, or 10"),
    ("hexadecimal", ["config: {mask: 0x1F}"], 6, "config.mask", "YAML 1.1 reads 0x1F as the hexadecimal number 31", "in quotes, or 31"),
    ("underscores", ["replicas: {prod: 1_0}"], 6, "replicas.prod", "YAML 1.1 reads 1_0 as the number 10", "or 10 if that is meant"),
    ("a version", ["config: {version: 1.10}"], 6, "config.version", "YAML reads 1.10 as the number 1.1", 'write "1.10" in quotes'),
    ("a number as text", ["config: {keep: 42}"], 6, "config.keep", "42 is a number where text is wanted", 'write "42" in quotes'),
    ("a boolean as text", ["config: {keep: true}"], 6, "config.keep", "true or false where text is wanted", "in quotes"),
    ("a date", ["config: {since: 2017-09-30}"], 6, "config.since", "YAML 1.1 reads 2017-09-30 as a date", 'write "2017-09-30" in quotes'),
    ("infinity", ["rollout: {bake_s: .inf}"], 6, "rollout.bake_s", "YAML 1.1 reads .inf as the number inf", "in quotes"),
    ("no value", ["zones:"], 6, "zones", "has no value", "take the line out"),
    ("an alias", ["zones: &z [east]", "depends_on: *z"], 7, "depends_on", "an alias", "write the value out"),
    ("a merge key", ["slo: {<<: {p99_ms: 3}}"], 6, "slo.<<", "a merge key", "write the fields out"),
    ("a tag", ["config: !secret {a: b}"], 6, "config", "the tag !secret", "without a tag"),
    ("a tag on a value", ["runtime: !env RUNTIME"], 6, "runtime", "the tag !env", "without a tag"),
    ("no number", ["replicas:", '  prod: "three"'], 7, "replicas.prod", '"three" is not a whole number', "in digits"),
    ("a number in quotes", ["replicas:", '  prod: "3"'], 7, "replicas.prod", '"3" is text', "write 3 without quotes"),
    ("half an instance", ["replicas: {prod: 1.5}"], 6, "replicas.prod", "1.5 is not a whole number", "in digits"),
    ("true is no number", ["replicas: {prod: true}"], 6, "replicas.prod", "true is not a whole number", "in digits"),
    ("text for a list", ["depends_on: ledger"], 6, "depends_on", "text where a list is wanted", "write [ledger]"),
    ("a list for fields", ["rollout: [canary]"], 6, "rollout", "a list where fields are wanted", "name: value"),
    ("a mapping for text", ["runtime: {a: b}"], 6, "runtime", "is not known here", "use one of local, kubernetes, ansible"),
    ("an unknown word", ["kind: htpp"], 6, "kind", '"htpp" is not known here', "did you mean http?"),
    ("an unknown strategy", ["rollout: {strategy: bluegreen}"], 6, "rollout.strategy", '"bluegreen" is not known here', "did you mean blue-green?"),
    ("too many percent", ["rollout: {surge: 120%}"], 6, "rollout.surge", '"120%" is no share', "0% to 100%"),
    ("a negative share", ["rollout: {surge: -1}"], 6, "rollout.surge", "-1 is no share", "a number of instances"),
    ("a weight above 100", ["rollout: {strategy: canary, steps: [5, 101]}"], 6, "rollout.steps[1]", "101 is above 100", "write at most 100"),
    ("a weight of 0", ["rollout: {strategy: canary, steps: [{weight_pct: 0}]}"], 6, "rollout.steps[0].weight_pct", "0 is below 1", "at least 1"),
    ("a negative time", ["rollout: {drain_s: -1}"], 6, "rollout.drain_s", "-1 is below 0", "write at least 0"),
    ("a promise nobody can keep", ["slo: {availability_pct: 100}"], 6, "slo.availability_pct", "100 is not below 100", "less than 100"),
    ("a port out of range", ["ports: {http: 70000}"], 6, "ports.http", "70000 is above 65535", "at most 65535"),
    ("a bad name", ["zones: [East_1]"], 6, "zones[0]", '"East_1" does not fit', "lower-case letters"),
    ("a bad path", ["health: {live_path: healthz}"], 6, "health.live_path", '"healthz" does not fit', "begin with /"),
    ("a path out of the project", ["artifact: {include: [../x], command: [a]}"], 6, "artifact.include[0]", '"../x" does not fit', "inside the project"),
    ("an empty list", ["artifact: {include: [], command: [a]}"], 6, "artifact.include", "is empty", "name at least one"),
    ("a missing field below", ["artifact:", "  include: [a]"], 6, "artifact.command", "is missing", "add command: [python, -m, reference_apps.risk]"),
    ("timings", ["rollout:", "  min_ready_s: 400"], 7, "rollout.min_ready_s", "400 is not below healthy_deadline_s, 300", "progress_deadline_s"),
    ("weights that fall", ["rollout:", "  strategy: canary", "  steps:", "    - 50", "    - 25"], 10, "rollout.steps[1]", "25 % after 50 %", "rise"),
    ("too little room", ["rollout: {strategy: blue-green, max_total: 1}"], 6, "rollout.max_total", "1 is too small", "at least 2"),
    ("a writer that is not alone", ["handover: standby", "kind: stateful", "replicas: {prod: 2}"], 8, "replicas.prod", "which has one writer", "write 1"),
    ("a dependency that is none", ["depends_on:", "  - risk-rules", "  - nowhere"], 7, "depends_on[0]", 'no service "risk-rules"', "catalog list"),
    ("a service on itself", ["depends_on: [risk]"], 6, "depends_on[0]", "cycle: risk → risk", "break one edge"),
    ("an unknown environment", ["replicas: {prd: 3}"], 6, "replicas.prd", 'no environment "prd"', "did you mean prod?"),
    ("a tab", ["config:", "\tkey: x"], 7, "", "a tab where YAML wants spaces", "indent with spaces"),
    ("a colon in a text", ["runtime: local: really"], 6, "", "mapping values are not allowed", "in quotes"),
    ("an open bracket", ["zones: [east", "kind: http"], 7, "", "no valid YAML", "the one before it"),
    ("two documents", ["---", "name: other"], 6, "", "no valid YAML", "one document a file"),
]


@pytest.mark.parametrize(("lines", "line", "field", "message", "remedy"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_named_with_its_place_and_remedy(write: Write, lines: list[str], line: int, field: str, message: str, remedy: str) -> None:
    folder = write(middle__risk=with_lines(*lines), environments="local: {summary: One.}\nprod: {summary: All.}")
    [mistake, *others] = found(folder)
    assert mistake["file"] == "catalog/middle/risk.yaml"
    assert (mistake["line"], mistake["field"]) == (line, field)
    assert message in mistake["message"]
    assert remedy in mistake["remedy"]
    assert all(other["message"].startswith("no service") for other in others), "one mistake is not told in several ways"


def test_a_missing_field_says_what_to_add(write: Write) -> None:
    mistakes = found(write(middle__risk="name: risk\ndomain: middle\nsummary: Decides.\n"))
    assert [(one["line"], one["field"], one["message"], one["remedy"]) for one in mistakes] == [
        (1, "owner", "is missing", "add owner: team-messaging"),
        (1, "tier", "is missing", "add tier: 2"),
    ]


def test_name_and_domain_are_those_of_the_place(write: Write) -> None:
    mistakes = found(write(base__sms=GOOD))
    assert [(one["field"], one["message"]) for one in mistakes] == [("name", '"risk" in a file called sms.yaml'), ("domain", '"middle" in the folder base')]


def test_files_that_nobody_would_read_are_named(write: Write, tmp_path: Path) -> None:
    folder = write(risk=GOOD, middle__deep__risk=GOOD)
    (folder / "middle" / "fraud.yml").write_text("name: fraud\n")
    (folder / "README.md").write_text("not a part of the catalog")
    assert [(one["file"], one["message"]) for one in found(folder)] == [
        ("catalog/middle/deep", "a folder inside a domain's folder"),
        ("catalog/middle/fraud.yml", "the name ends in .yml"),
        ("catalog/risk.yaml", "a service lies in its domain's folder"),
    ]


def test_two_files_of_one_name_are_one_too_many(write: Write) -> None:
    mistakes = found(write(front__risk=GOOD.replace("middle", "front"), middle__risk=GOOD))
    assert [(one["file"], one["message"]) for one in mistakes] == [("catalog/middle/risk.yaml", "a service of this name lies in catalog/front/risk.yaml")]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "the file is empty"),
        (b"- a\n", 1, "the file is no mapping"),
        (b"name: risk\nowner: \xff\n", 2, "the text is not UTF-8"),
        (b"a: \x00\n", 1, "no valid YAML"),
        (b"a: " + b"[" * 300_000, 1, "300003 bytes are too much"),
    ],
)
def test_a_file_that_is_no_service_at_all(tmp_path: Path, content: bytes, line: int, message: str) -> None:
    (tmp_path / "middle").mkdir()
    (tmp_path / "middle" / "risk.yaml").write_bytes(content)
    [mistake] = found(tmp_path)
    assert mistake["line"] == line
    assert message in mistake["message"]


def test_all_mistakes_come_in_one_run_and_nothing_is_loaded(write: Write) -> None:
    folder = write(
        middle__approval=with_lines("depends_on:", "  - contract", "  - fruad").replace("name: risk", "name: approval"),
        middle__contract=with_lines("depends_on: [file]", "ports: {sftp: 2022}").replace("name: risk", "name: contract"),
        middle__file=with_lines("depends_on: [approval]", "ports: {sftp: 2022}", "owner: twice").replace("name: risk", "name: file"),
        middle__fraud=with_lines("tier: 9").replace("tier: 1\n", "").replace("name: risk", "name: fraud"),
        middle__broken="name: [\n",
        middle__risk=with_lines("depends_on: [broken]"),
    )
    lines = [f"{one['file'].removeprefix('catalog/middle/')}:{one['line']} {one['field']}: {one['message']}" for one in found(folder)]
    assert lines == [
        "approval.yaml:7 depends_on[0]: cycle: approval → contract → file → approval",
        'approval.yaml:8 depends_on[1]: no service "fruad"',
        "broken.yaml:2 : no valid YAML: did not find expected node content",
        "file.yaml:7 ports.sftp: 2022 is a port of contract as well",
        "file.yaml:8 owner: duplicate key (first at line 4)",
        "fraud.yaml:5 tier: 9 is above 3",
    ]
    with pytest.raises(CatalogMistakes) as raised:
        YamlCatalog(folder, "local", judge=judge).snapshot()
    assert len(raised.value.mistakes) == len(lines)
    assert raised.value.message.startswith("6 mistakes in 6 services of the catalog; nothing was loaded\n")
    assert "catalog/middle/approval.yaml:8  depends_on[1]: no service" in raised.value.message


def test_a_mistake_in_one_item_hides_none_in_the_others(write: Write) -> None:
    mistakes = found(write(middle__risk=with_lines("depends_on:", "  - no", "  - fruad")))
    assert [(one["line"], one["field"]) for one in mistakes] == [(7, "depends_on[0]"), (8, "depends_on[1]")]


# --- environments and domains ---


def test_times_of_an_environment_lie_over_those_of_the_service_and_under_its_own(write: Write) -> None:
    folder = write(
        middle__risk=with_lines(
            "rollout: {strategy: canary, drain_s: 40, bake_s: 900, steps: [5, {weight_pct: 50, step_s: 90}], gate: {min_requests: 50}}",
            "environments: {local: {rollout: {bake_s: 3, gate: {max_error_pct: 2}}}}",
        ),
        environments="local: {summary: One., rollout: {drain_s: 10, bake_s: 1, step_s: 5, gate: {window_s: 2}}}\nprod: {summary: All.}",
    )
    local = YamlCatalog(folder, "local", judge=judge).snapshot().services["risk"].rollout
    assert (local.drain_s, local.bake_s, [step.step_s for step in local.steps]) == (10, 3, [5, 5])
    assert (local.gate.window_s, local.gate.min_requests, local.gate.max_error_pct) == (2, 50, 2)
    prod = YamlCatalog(folder, "prod", judge=judge).snapshot().services["risk"].rollout
    assert (prod.drain_s, prod.bake_s, [step.step_s for step in prod.steps]) == (40, 900, [60, 90])


def test_a_mistake_that_an_environment_makes_is_shown_there_once(write: Write) -> None:
    environments = "local: {summary: One.}\nprod:\n  summary: All.\n  rollout:\n    min_ready_s: 400\n"
    folder = write(middle__risk=GOOD, middle__fraud=GOOD.replace("risk", "fraud"), environments=environments)
    [mistake] = found(folder)
    assert (mistake["file"], mistake["line"], mistake["field"]) == ("catalog/environments.yaml", 5, "prod.rollout.min_ready_s")
    assert mistake["message"].endswith("(in prod)")


def test_mistakes_in_the_files_of_environments_and_domains_have_their_lines_too(write: Write) -> None:
    folder = write(middle__risk=GOOD, environments="local:\n  summary: One.\n  rolout: {}\n", domains="middle:\n  summary: The middle.\n  layer: midle\n")
    assert [(one["file"], one["line"], one["field"], one["remedy"]) for one in found(folder)] == [
        ("catalog/domains.yaml", 3, "middle.layer", "did you mean middle?"),
        ("catalog/environments.yaml", 3, "local.rolout", "did you mean rollout?"),
    ]


def test_a_folder_that_is_no_domain_is_named_once(write: Write) -> None:
    misplaced = GOOD.replace("middle", "midle")
    domains = "middle: {layer: middle, summary: The middle.}"
    folder = write(midle__risk=misplaced, midle__fraud=misplaced.replace("risk", "fraud"), domains=domains)
    [mistake] = found(folder)
    assert mistake["message"] == "the folder catalog/midle is no domain"
    assert "did you mean middle?" in mistake["remedy"]


def test_an_environment_that_is_none_is_refused_with_the_right_one(write: Write) -> None:
    folder = write(middle__risk=GOOD, environments="local: {summary: One.}\nprod: {summary: All.}")
    with pytest.raises(BadInput) as raised:
        YamlCatalog(folder, "prodd", judge=judge).snapshot()
    assert raised.value.remedy == "did you mean prod?"


def test_no_folder_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no catalog"):
        YamlCatalog(tmp_path / "nowhere", "local", judge=judge).snapshot()


# --- again and again ---


def test_a_catalog_that_became_wrong_says_so_and_is_right_again_when_it_is_mended(write: Write) -> None:
    folder = write(middle__risk=GOOD)
    backend = YamlCatalog(folder, "local", judge=judge)
    first = backend.snapshot()
    write(middle__risk=with_lines("ownr: x"))
    for _ in range(2):
        with pytest.raises(CatalogMistakes, match="1 mistake in 1 services"):
            backend.snapshot()
    write(middle__risk=GOOD)
    assert backend.snapshot() == first


def test_one_changed_file_is_seen(write: Write) -> None:
    folder = write(middle__risk=GOOD, middle__fraud=GOOD.replace("risk", "fraud"))
    backend = YamlCatalog(folder, "local", judge=judge)
    before = backend.snapshot()
    file = folder / "middle" / "fraud.yaml"
    kept = file.stat()
    file.write_text(file.read_text().replace("tier: 1", "tier: 2"))
    os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    after = backend.snapshot()
    assert (before.services["fraud"].tier, after.services["fraud"].tier) == (1, 2), "same size and same time of change, but not the same file"
