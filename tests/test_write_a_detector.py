"""docs/write-a-detector.md shows the example as it is, and its lines run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "write-a-detector.md").read_text()
EXAMPLE = ROOT / "examples" / "bright-spots"

BLOCKS = re.findall(r'^```(\w+)(?: title="(.*?)")?\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE)
FILES = {title: code for _, title, code in BLOCKS if title}
RUN = [code for language, title, code in BLOCKS if language == "python" and not title]


def test_every_file_of_the_example_is_shown() -> None:
    files = {
        path.relative_to(EXAMPLE).as_posix()
        for path in EXAMPLE.rglob("*")
        if path.suffix in (".py", ".toml") and "build" not in path.parts
    }

    assert files == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_shown_as_it_is(name: str) -> None:
    assert FILES[name] == (EXAMPLE / name).read_text()


@pytest.mark.parametrize("code", RUN, ids=range(len(RUN)))
def test_the_lines_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("read_in_the_docs")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    exec(compile(code, "write-a-detector.md", "exec"), module.__dict__)


def test_the_first_lines_are_about_ten() -> None:
    declared = RUN[0].partition("picture =")[0]
    lines = [line for line in declared.splitlines() if line.strip()]

    assert len(lines) <= 14
