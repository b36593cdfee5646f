"""The code of docs/contours.md and of the docstrings, run as it stands."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "contours.md"


def test_the_code_of_the_document_runs() -> None:
    failed, tried = doctest.testfile(str(DOCUMENT), module_relative=False)

    assert tried > 10
    assert not failed


@pytest.mark.parametrize("name", ["reslice", "trace"])
def test_the_examples_of_docstrings_run(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(f"delineate.contour.{name}"))

    assert tried
    assert not failed
