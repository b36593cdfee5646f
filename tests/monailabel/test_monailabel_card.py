"""Our own client of MONAI Label servers reads what our own service of that protocol says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from label_scans import DIRECTIONS, banded, scan
from service import Service

from delineate import delineate
from delineate.detectors.cards import store
from delineate.imaging import LabelMap
from delineate.plugins import registry


@pytest.fixture
def card(facade: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A card of a model of the service."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cards"))
    document = {
        "schema": "delineate/card/1",
        "id": "test.remote",
        "title": "Elsewhere",
        "monailabel": {
            "url": f"{facade.url}/monailabel",
            "model": "label.bands",
            "timeout_s": 120.0,
            "params": {"bands": "[1, 9]"},
        },
    }
    path = tmp_path / "remote.json"
    path.write_text(json.dumps(document))
    return store.add(path).name


@pytest.mark.parametrize("direction", sorted(DIRECTIONS)[:2])
def test_both_ends_of_the_protocol_agree(card: str, direction: str) -> None:
    image = scan(direction)

    found = delineate(image, registry.find(card)).output

    assert isinstance(found, LabelMap)
    assert [one.name for _, one in sorted(found.categories.items())] == ["bone", "fat", "soft"]
    expected = banded(image.array)
    expected[expected == 3] = 0
    np.testing.assert_array_equal(found.array, expected)
    assert found.grid.matches(image.grid)
