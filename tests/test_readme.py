"""The README and the docs keep up with what there is: every command, every link, every setting."""

import re
from pathlib import Path

import pytest

from ctl.cli.main import SECTIONS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
COMMANDS = [name for section in SECTIONS.values() for name in section]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"\bmsxfctl {command}\b", TEXT), f"no page tells of msxfctl {command}"


def test_no_page_names_a_command_that_is_not_there() -> None:
    named = set(re.findall(r"`msxfctl ([a-z]+)", TEXT))
    assert named <= set(COMMANDS), named - set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_setting_is_documented() -> None:
    used = set(re.findall(r"MSXFCTL_[A-Z_]+", (ROOT / "ctl" / "settings.py").read_text())) - {"MSXFCTL_"}
    operations = (ROOT / "docs" / "operations.md").read_text()
    assert used, "settings are read somewhere else now: look there"
    assert not {name for name in used if name not in operations}


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"there is no make {target}"
