"""The names that ``import delineate`` offers, and what they cost."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from types import ModuleType

import pytest

import delineate
from delineate import delineation


def modules_after(statement: str) -> set[str]:
    script = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(done.stdout))


def test_everything_offered_is_there() -> None:
    for name in delineate.__all__:
        assert getattr(delineate, name).__name__ == name
        assert inspect.getdoc(getattr(delineate, name)), name


def test_nothing_else_is_visible() -> None:
    own = {
        name
        for name in dir(delineate)
        if not name.startswith("_") and not isinstance(getattr(delineate, name), ModuleType)
    }

    assert own - {"annotations", "import_module", "TYPE_CHECKING", "Any"} == set(delineate.__all__)
    assert delineate.__all__ == sorted(delineate.__all__)
    assert len(delineate.__all__) < 20


def test_the_function_and_the_package_of_like_name_are_apart() -> None:
    assert delineate.delineate is delineation.delineate
    assert isinstance(delineation, ModuleType)
    assert delineate.delineation is delineation


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'delineate' has no attribute 'missing'"):
        delineate.missing  # noqa: B018


def test_the_version_is_a_text() -> None:
    assert delineate.__version__[0].isdigit()


def test_importing_it_costs_nothing() -> None:
    loaded = modules_after("import delineate")

    assert not loaded & {"numpy", "scipy", "torch", "fastapi", "numba", "SimpleITK", "pydantic"}


def test_using_all_of_its_names_loads_no_framework() -> None:
    loaded = modules_after("from delineate import *")

    assert not loaded & {"torch", "monai", "fastapi", "numba", "SimpleITK", "skimage", "dbos"}
