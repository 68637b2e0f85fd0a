"""Whatever stands in a service's file, reading it ends in a service or in mistakes with a place and a remedy, never in a crash."""

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctl.backends.catalog import jsonschema, listing, loading
from ctl.backends.catalog.loading import Loader
from ctl.decide.catalog_rules import judge

WORDS = sorted({"no", "22:22", "010", "risk", "local", "25%", "/", "1.10", "true", "canary", "standby", "stateful", *jsonschema.ServiceFile.model_fields})
INNER = "strategy steps weight_pct step_s surge gate window_s level without route rps include command"
FIELDS = sorted({*WORDS, *INNER.split()})
scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 200), st.floats(allow_nan=False), st.sampled_from(WORDS), st.text(max_size=5), st.dates())
values = st.recursive(scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)), max_leaves=12)
LINE_BREAKS = [b"\n", b"\r", *(char.encode() for char in "\x85\u2028\u2029")]
services = st.dictionaries(st.sampled_from(FIELDS), values, max_size=8)
PLAIN = {"name": "risk", "domain": "risk", "owner": "team", "tier": 1, "summary": "Decides."}


def loaded(tmp: Path, content: bytes) -> loading.Loaded:
    (tmp / "risk").mkdir(exist_ok=True)
    (tmp / "risk" / "risk.yaml").write_bytes(content)
    return Loader(tmp, judge, "local").load(listing.scan(tmp))


def judged(tmp: Path, content: bytes) -> None:
    result = loaded(tmp, content)
    lines = 1 + sum(map(content.count, LINE_BREAKS))
    assert bool(result.mistakes) != bool(result.services["local"]), "it is a service, or it says why not"
    for mistake in result.mistakes:
        assert mistake.file.endswith("/risk/risk.yaml")
        assert 1 <= mistake.line <= lines
        assert mistake.message
        assert mistake.remedy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("catalog")


@given(tree=services, is_whole=st.booleans())
@settings(deadline=None, max_examples=150)
def test_any_tree_of_values(folder: Path, tree: dict[str, object], is_whole: bool) -> None:
    text = yaml.safe_dump(PLAIN | tree if is_whole else tree, allow_unicode=True)
    judged(folder, text.encode())


@given(content=st.one_of(st.binary(max_size=60), st.text(alphabet="abc: -[]{}#&*!|>'\"%@`\t\n,?~<=.0123", max_size=60).map(str.encode)))
@example(b"---")
@settings(deadline=None, max_examples=300)
def test_any_bytes(folder: Path, content: bytes) -> None:
    judged(folder, content)
