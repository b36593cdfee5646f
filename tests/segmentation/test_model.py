"""Model folders: what is written is read back, and what is broken is named."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

from delineate.errors import ModelError
from delineate.segmentation.model import read_model
from delineate.segmentation.structures import ORGANS


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "model"
    shutil.copytree(tiny_model, copy)
    return copy


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_published_model_is_read_back(folder: Path) -> None:
    model = read_model(folder)

    assert model.structures == ORGANS
    assert model.tile == (16, 16, 16)
    assert model.spacing_mm == (18.0, 18.0, 18.0)
    assert len(model.windows) == 2
    with torch.inference_mode():
        logits = model.load_network()(torch.zeros(1, 2, 16, 16, 16))
    assert logits.shape == (1, 14, 16, 16, 16)


def test_truncated_weights_are_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-7])

    with pytest.raises(ModelError, match="truncated or was changed"):
        read_model(folder).load_network()


def test_one_changed_bit_is_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))

    with pytest.raises(ModelError, match="sha256"):
        read_model(folder).load_network()


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text())
    content["network"]["arguments"]["channels"] = [8, 16]
    _edit(folder, network=content["network"])

    with pytest.raises(ModelError, match="does not fit network UNet"):
        read_model(folder).load_network()


def test_weights_that_are_no_safetensors_are_refused(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"\x80\x04pickle")
    digest = hashlib.sha256(b"\x80\x04pickle").hexdigest()
    _edit(folder, weights={"file": "weights.safetensors", "sha256": digest})

    with pytest.raises(ModelError, match="does not fit"):
        read_model(folder).load_network()


def test_absent_weights_are_named(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()

    with pytest.raises(ModelError, match="cannot be read"):
        read_model(folder).load_network()


def test_a_folder_without_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a model folder"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "no model description"),
        ({"format_version": 99}, "format version 99"),
        ({"labels": []}, "labels with names"),
        ({"labels": [{"label": 2}]}, "expected label 1"),
        ({"tiles": {"shape": [8, 8], "overlap": 0.5}}, "ValueError"),
        ({"tiles": {"shape": [8, 8, 8], "overlap": 1.0}}, "overlap"),
        ({"weights": {"file": "/etc/passwd", "sha256": ""}}, "expected the weights in"),
        ({"input": {}}, "KeyError"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    _edit(folder, **changes)

    with pytest.raises(ModelError, match=message):
        read_model(folder)


def test_a_description_that_is_not_json_is_refused(folder: Path) -> None:
    (folder / "model.json").write_text("{")

    with pytest.raises(ModelError, match="not JSON"):
        read_model(folder)
