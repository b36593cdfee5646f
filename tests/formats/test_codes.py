"""The codes of problems are those of the document, each with what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from delineate.formats import Problem
from delineate.formats.particulars import ADVICE, CODES

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"


def documented() -> dict[str, set[str]]:
    """Verdicts by code, of all tables of awkward files."""
    found: dict[str, set[str]] = {}
    tables = re.findall(r"^\| case \| code \| verdict \|\n(?:\|.*\n)+", DOCUMENT.read_text(), re.M)
    for row in "".join(tables).splitlines():
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        for code in re.findall(r"`(\w+)`", cells[1] if len(cells) == 3 else ""):
            words = re.findall(r"usable|corrected|refused|ignored|series of its own", cells[2])
            found.setdefault(code, set()).update(words)
    return found


def test_the_document_has_all_codes_and_no_others() -> None:
    assert set(documented()) == CODES


def test_every_code_has_a_verdict() -> None:
    assert all(documented().values())


def test_whatever_is_refused_has_advice() -> None:
    refused = {code for code, verdicts in documented().items() if verdicts == {"refused"}}

    assert refused <= set(ADVICE)
    assert set(ADVICE) <= CODES


def test_another_code_cannot_be_told() -> None:
    with pytest.raises(ValueError, match="no code of a problem"):
        Problem("odd", "something")
