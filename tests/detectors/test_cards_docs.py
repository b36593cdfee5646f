"""docs/cards.md shows the example cards as they are, and they work."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from card_files import picture
from card_monailabel import MonaiLabel
from card_servers import serving
from fastapi import FastAPI
from service import service

from delineate import delineate
from delineate.detectors.cards import kserve, store
from delineate.detectors.cards.card import Card, InputPart, OnnxPart, parse_card
from delineate.detectors.cards.interpretation import OUTPUT_KINDS
from delineate.imaging import Grid, Image
from delineate.plugins import Wants, registry
from delineate.testing import DetectorTests

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "cards"
PAGE = (ROOT / "docs" / "cards.md").read_text()
SHOWN = dict(re.findall(r'^```json title="(.*?)"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture(autouse=True, scope="module")
def cards_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(store.VARIABLE, str(tmp_path_factory.mktemp("cards")))
        store.add(EXAMPLES / "dark-spots")
        yield


def test_every_example_is_shown_as_it_is() -> None:
    files = {path.relative_to(EXAMPLES).as_posix(): path for path in EXAMPLES.rglob("*.json")}

    assert {name: path.read_text() for name, path in files.items()} == SHOWN


def test_every_key_is_explained() -> None:
    part = PAGE[PAGE.index("## All keys") :]
    told = set(re.findall(r"`(\w+)`", part))
    keys = {field.alias or name for name, field in Card.model_fields.items()}
    keys |= set(InputPart.model_fields) | set(OnnxPart.model_fields)
    keys |= set(Wants.__dataclass_fields__) | set(OUTPUT_KINDS)
    for name in ("delineate", "monailabel", "kserve"):
        keys |= set(_type_of(name).model_fields)

    assert keys - told == set()


def _type_of(name: str) -> type:
    (found,) = [one for one in Card.model_fields[name].annotation.__args__ if one is not type(None)]
    return found


def test_the_script_makes_the_network_that_is_there(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "dark-spots" / "make.py", tmp_path)

    runpy.run_path(str(tmp_path / "make.py"))

    made = (tmp_path / "model.onnx").read_bytes()
    assert made == (EXAMPLES / "dark-spots" / "model.onnx").read_bytes()


def test_dark_spots_are_found_and_counted_in_samples() -> None:
    array = np.full((300, 400, 3), 220, np.uint8)
    array[100:110, 50:60], array[200:204, 300:310] = 40, 60

    found = delineate(picture(array, "red", "green", "blue"), "dark-spots")

    assert found.findings[0].measurements["area_px"] == 10 * 10 + 4 * 10


class TestDarkSpots(DetectorTests):
    detector_id = "dark-spots"

    def sample(self) -> Image:
        array = np.full((1, 90, 120), 220, np.uint8)
        array[0, 30:37, 40:52], array[0, 60:70, 80:85] = 40, 90
        return Image(array, Grid.regular(array.shape, unit="px"), "photo")


def _at(name: str, url: str, folder: Path) -> Path:
    """An example whose server is another one."""
    document = json.loads(SHOWN[name])
    part = next(one for key, one in document.items() if isinstance(one, dict) and "url" in one)
    part["url"] = url
    path = folder / "card.json"
    path.write_text(json.dumps(document))
    return path


def test_the_card_of_another_delineate_is_filled_in(tmp_path: Path) -> None:
    with service(tmp_path / "data") as there:
        store.add(_at("organs-elsewhere.json", there.url, tmp_path))

    here, elsewhere = registry.find("organs.ct"), registry.find("organs.elsewhere")
    assert elsewhere.categories == here.categories
    assert elsewhere.weights == here.weights
    assert set(elsewhere.options.model_fields) == set(here.options.model_fields)
    assert elsewhere.options().model_dump() == here.options().model_dump()


def test_the_card_of_a_monai_label_server_finds_the_spleen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELINEATE_TOKEN_SEGMENT", "secret")
    array = np.zeros((4, 5, 6), np.int16)
    array[1:3, 2, 3] = 1

    with serving(MonaiLabel(tmp_path).app) as url:
        store.add(_at("spleen-monailabel.json", url, tmp_path))
        found = delineate(Image(array, Grid.regular(array.shape), "CT"), "spleen.monailabel")

    assert found.findings[0].category.hex_colour == "#9a3324"
    assert found.findings[0].measurements["voxels"] == 2


def test_the_card_of_an_inference_server_fits_a_model_of_its_kind(tmp_path: Path) -> None:
    app = FastAPI()
    ports = {
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 1, -1, -1, -1]}],
        "outputs": [{"name": "peaks", "datatype": "FP32", "shape": [-1, 1, -1, -1, -1]}],
    }
    app.get("/v2")(lambda: {"name": "t", "version": "2", "extensions": ["binary_tensor_data"]})
    app.get("/v2/models/lesions")(lambda: {"name": "lesions", "platform": "onnx", **ports})

    with serving(app) as url:
        path = _at("lesions-kserve.json", url, tmp_path)
        card = kserve.filled_in(parse_card(path.read_bytes()))

    assert card.kserve is not None
    assert card.kserve.binary is True
