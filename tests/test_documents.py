"""Documents that must keep step with the code."""

from __future__ import annotations

import re
from pathlib import Path

from delineate import errors

ROOT = Path(__file__).resolve().parents[1]


def test_the_tree_of_errors_shows_every_error() -> None:
    assert errors.__doc__ is not None
    drawn = set(re.findall(r"\b(\w+Error|Cancelled)\b", errors.__doc__))
    assert drawn == set(errors.__all__)
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.DelineateError)


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("0*.md")}


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / link).exists()
    ]
    assert not broken


def test_every_format_is_in_the_table_of_outputs() -> None:
    from delineate.formats.table import FORMATS

    text = (ROOT / "docs" / "outputs.md").read_text()
    for name, entry in FORMATS.items():
        assert f"| `{name}` | `{entry.file}` | {entry.title} |" in text
