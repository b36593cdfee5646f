"""docs/write-a-detector.md shows the example as it is, its lines run, its numbers are counted."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from delineate.cli.package import write_package
from delineate.plugins import OutputKind
from delineate.testing import DetectorTests
from delineate.testing.check import laws

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "write-a-detector.md").read_text()
EXAMPLE = ROOT / "examples" / "bright-spots"
KINDS = get_args(OutputKind)
MOST = 30  # lines around a model

BLOCKS = re.findall(r'^```(\w+)(?: title="(.*?)")?\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE)
FILES = {title: code for _, title, code in BLOCKS if title}
RUN = [code for language, title, code in BLOCKS if language == "python" and not title]

_NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)


def code_lines(source: str) -> set[int]:
    """Numbers of the lines that hold code, not only a comment or a docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {
        number
        for token in tokens
        if token.type not in _NO_CODE
        for number in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def model_lines(source: str) -> set[int]:
    """Those of them in the body of ``detect``."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("detect"):
            last = node.body[-1].end_lineno or node.lineno
            found |= set(range(node.body[0].lineno, last + 1))
    return found & code_lines(source)


def counted(package: Path) -> tuple[int, int]:
    """Lines around the model and lines of it, in a package of two modules."""
    modules = [path.read_text() for path in package.glob("*/*.py") if path.parent.name != "tests"]
    assert len(modules) == 2
    model = sum(len(model_lines(source)) for source in modules)
    entry_point = 2  # the group and the name
    return sum(len(code_lines(source)) for source in modules) - model + entry_point, model


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    """By the names that the page has for them."""
    found = {"`examples/bright-spots`": counted(EXAMPLE)}
    folder = tmp_path_factory.mktemp("counted")
    for kind in KINDS:
        write_package(f"counted-{kind}", kind, folder / kind)
        found[f"`plugin new --gives {kind}`"] = counted(folder / kind)
    return found


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


def test_every_law_is_in_the_table() -> None:
    table = PAGE[PAGE.index("| law |") : PAGE.index("A law that cannot apply")]
    shown = [line.split("|")[1].strip() for line in table.splitlines()[2:] if line.strip()]

    names = [name.removeprefix("test_").replace("_", " ") for name in laws(DetectorTests())]
    assert shown == names


def test_every_kind_of_output_is_in_the_table() -> None:
    assert {kind for kind in KINDS if f'| `"{kind}"` |' in PAGE} == set(KINDS)


def test_the_lines_of_an_author_are_as_many_as_the_page_says(
    counts: dict[str, tuple[int, int]],
) -> None:
    for name, (around, model) in counts.items():
        assert f"| {name} | {around} | {model} |" in PAGE


def test_around_a_model_there_are_few_lines(counts: dict[str, tuple[int, int]]) -> None:
    assert {name: around for name, (around, _) in counts.items() if around > MOST} == {}


def test_lines_are_counted_as_by_hand() -> None:
    source = '"""Doc."""\n\nimport a  # why\n\n# note\nclass B:\n    """Doc\n    more."""\n\n'
    source += "    def detect(self):\n        '''Doc.'''\n        c = (\n            1\n        )\n"
    source += "        return c\n"

    assert code_lines(source) == {3, 6, 10, 12, 13, 14, 15}
    assert model_lines(source) == {12, 13, 14, 15}
