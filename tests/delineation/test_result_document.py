"""The result as JSON, as docs/rest.md has it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finders import GIVES, spec
from hypothesis import given, settings
from strategies import labelmaps

from delineate.contour import fill
from delineate.delineation import Delineation, delineate, dumps, to_json
from delineate.delineation.document import from_json
from delineate.delineation.findings import significant
from delineate.errors import UnreadableFileError
from delineate.imaging import Grid, Image, LabelMap, Source

GRID = Grid.regular((3, 8, 9), (2.0, 1.0, 1.0))
REST = Path(__file__).resolve().parents[2] / "docs" / "rest.md"


def result(name: str) -> Delineation:
    array = np.zeros(GRID.shape, np.int16)
    array[1, 2:5, 3:7] = 1
    return delineate(Image(array, GRID, "CT"), spec(name))


def documented() -> dict[str, Any]:
    """The example of docs/rest.md, its ellipses filled in."""
    text = REST.read_text().partition("## Result")[2]
    (block,) = re.findall(r"```json\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)
    block = block.replace("[...]", "[0]").replace("[x, y, z]", "[0.0, 0.0, 0.0]")
    filled: dict[str, Any] = json.loads(block)
    return filled


def keys(value: Any) -> Any:
    """The shape of a document: names of members, without their values."""
    free = {"options", "versions", "measurements", "overall", "references"}
    if isinstance(value, dict):
        return {name: None if name in free else keys(part) for name, part in value.items()}
    return None


def test_it_has_the_members_that_the_documentation_shows() -> None:
    document, example = to_json(result("Echo")), documented()

    assert keys(document) == keys(example)
    (ring,) = document["findings"][0]["contours"]
    assert keys(ring) == keys(example["findings"][0]["contours"][0])
    coded = {"value", "scheme", "meaning"}
    assert coded == set(example["findings"][0]["category"]["code"])
    assert set(document["findings"][0]["category"]) == set(example["findings"][0]["category"])


@pytest.mark.parametrize("name", GIVES)
def test_it_is_plain_json_for_every_kind(name: str) -> None:
    found = result(name)
    document = to_json(found)

    assert json.loads(dumps(document)) == document
    assert dumps(to_json(found)) == dumps(document)


@pytest.mark.parametrize("name", GIVES)
def test_it_comes_back(name: str) -> None:
    found = result(name)
    document = json.loads(dumps(to_json(found)))

    back = from_json(document, found.image, found.output)

    assert to_json(back) == document
    assert back.detector == found.detector
    assert back.provenance.weights == found.provenance.weights


@given(labelmaps())
@settings(deadline=None, max_examples=50)
def test_each_contour_lies_in_the_slice_that_it_names(labelmap: LabelMap) -> None:
    document = to_json(delineate(Image(labelmap.array, labelmap.grid), spec("Echo")))

    for finding in document["findings"]:
        mask = labelmap.array == finding["id"]
        slices = {contour["slice"] for contour in finding["contours"]}
        assert slices == set(np.flatnonzero(mask.any(axis=(1, 2))).tolist())


@given(labelmaps())
@settings(deadline=None, max_examples=50)
def test_filling_its_points_gives_the_labels_back(labelmap: LabelMap) -> None:
    image = Image(labelmap.array, labelmap.grid)
    found = delineate(image, spec("Echo"))

    back = from_json(json.loads(dumps(to_json(found))), image, found.output)

    for finding in back.findings:
        filled = fill(finding.contours, labelmap.grid)
        np.testing.assert_array_equal(filled, labelmap.array == finding.id)


def test_numbers_are_rounded_and_never_nan() -> None:
    assert significant(1 / 3) == 0.3333333
    assert significant(123456789.0) == 123456800.0
    assert significant({"a": [np.float32(0.1), 2, "x", None, True]}) == {
        "a": [0.1, 2, "x", None, True]
    }
    assert significant(float("nan")) is None
    assert significant(np.int64(3)) == 3
    assert math.copysign(1, significant(-0.0)) == 1


def test_it_names_the_series_but_nothing_else_of_the_source() -> None:
    class Secret(Source):
        format = "dicom"
        stack = "1.2.3#2"
        patient = "Doe^John"

    found = delineate(Image(np.zeros(GRID.shape), GRID, source=Secret()), spec("Echo"))

    assert to_json(found)["image"]["source"] == {"format": "dicom", "series": "1.2.3#2"}
    assert "Doe" not in dumps(to_json(found))


def test_a_document_of_another_schema_is_refused() -> None:
    found = result("Echo")

    with pytest.raises(UnreadableFileError, match="expected a result of schema"):
        from_json(to_json(found) | {"schema": "else/2"}, found.image, found.output)
