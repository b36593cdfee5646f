"""Model folders: what is written is read back, and what is broken is named."""

from __future__ import annotations

import hashlib
import json
import lzma
import math
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import described

from delineate.errors import ModelError
from delineate.imaging import Category
from delineate.imaging.category import Code
from delineate.segmentation.intensity import Affine, Clip, MinMax, ZScore
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.model_file import read_model, write_model
from delineate.segmentation.networks import build_network
from delineate.segmentation.structures import ORGANS, Structure
from delineate.segmentation.weights import load_network

ARGUMENTS = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [2, 4]}
ARGUMENTS |= {"strides": [2]}


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "model"
    shutil.copytree(tiny_model, copy)
    return copy


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _same(one: Model, other: Model) -> bool:
    """Field by field: a model is equal to itself alone."""
    return all(
        getattr(one, field.name) == getattr(other, field.name)
        for field in fields(Model)
        if field.name not in ("previous", "arguments")
    ) and dict(one.arguments) == dict(other.arguments)


numbers = st.floats(-1e4, 1e4).filter(lambda value: value != 0)
steps = st.one_of(
    st.builds(Clip, st.floats(-1e4, -1), st.floats(1, 1e4)),
    st.builds(Affine, numbers, numbers),
    st.builds(ZScore, st.booleans()),
    st.builds(MinMax, st.floats(-1, 0), st.floats(0.5, 2)),
)
samplings = st.builds(
    Sampling,
    orientation=st.sampled_from(["SPL", "RAS", "SAR", ""]),
    spacing_mm=st.tuples(*[st.none() | st.floats(0.1, 20)] * 3),
    fit=st.sampled_from(["centre", "faces", "first"]),
    method=st.sampled_from(["average", "linear", "cubic"]),
    nearest_beyond=st.sampled_from([3.0, math.inf]),
    crop=st.sampled_from(["none", "nonzero"]),
    normalise=st.sampled_from(["before", "after"]),
)


@settings(max_examples=25, deadline=None)
@given(
    sampling=samplings,
    inputs=st.lists(st.tuples(st.integers(0, 3), st.lists(steps, max_size=3).map(tuple))).filter(
        bool
    ),
    mirror=st.sets(st.integers(0, 2)).map(sorted).map(tuple),
    activation=st.sampled_from(["softmax", "sigmoid"]),
    overlap=st.floats(0, 0.9),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    sampling: Sampling,
    inputs: list[Any],
    mirror: tuple[int, ...],
    activation: Any,
    overlap: float,
) -> None:
    model = described(
        folder=tmp_path_factory.mktemp("law"),
        version="7",
        title="Ein Gerät 日本",
        source="somewhere",
        modality="MR",
        arguments=ARGUMENTS,
        sampling=sampling,
        tiles=Tiles(shape=(8, 4, 6), overlap=overlap, placement="even", padding="zero"),
        inputs=tuple(inputs),
        activation=activation,
        outputs=(2, 1) if activation == "sigmoid" else (),
        mirror=mirror,
        structures=(
            Structure(
                Category("kidney_left", (1, 2, 3), Code("64033007", "SCT", "Kidney"), "left")
            ),
            Structure(Category("lump"), 0.5, False, (-10, 10), False, True),
        ),
        metrics={"dice": {"lump": 0.5}},
    )
    network = build_network("UNet", ARGUMENTS)

    written = write_model(model, [network.state_dict()])

    assert _same(written, read_model(model.folder))
    assert _same(replace(written, weights=model.weights), model)


def test_the_organ_model_is_read_back(folder: Path) -> None:
    model = read_model(folder)

    assert model.structures == ORGANS
    assert model.tiles.shape == (16, 16, 16)
    assert model.sampling.spacing_mm == (18.0, 18.0, 18.0)
    assert model.channels == 2
    with torch.inference_mode():
        logits = load_network(model)(torch.zeros(1, 2, 16, 16, 16))
    assert logits.shape == (1, len(ORGANS) + 1, 16, 16, 16)


def test_several_files_of_weights_are_averaged(tmp_path: Path) -> None:
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        states.append(build_network("UNet", ARGUMENTS).eval().state_dict())
    model = described(folder=tmp_path / "both", arguments=ARGUMENTS)
    both = load_network(write_model(model, states))
    values = torch.randn(1, 1, 8, 8, 8)
    single = [
        load_network(write_model(replace(model, folder=tmp_path / str(n)), [state]))(values)
        for n, state in enumerate(states)
    ]

    torch.testing.assert_close(both(values), (single[0] + single[1]) / 2)


def test_a_cascade_is_read_with_the_model_before_it(tmp_path: Path) -> None:
    state = build_network("UNet", ARGUMENTS).state_dict()
    first = write_model(
        described(folder=tmp_path / "m" / "previous", name="first", arguments=ARGUMENTS), [state]
    )
    arguments = ARGUMENTS | {"in_channels": 3}
    second = described(folder=tmp_path / "m", arguments=arguments, previous=first)
    write_model(second, [build_network("UNet", arguments).state_dict()])

    model = read_model(tmp_path / "m")

    assert model.previous is not None
    assert (model.previous.name, model.channels) == ("first", 3)


def test_numbers_that_json_cannot_hold_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    model = described(folder=tmp_path / "m", metrics={"dice": math.nan}, arguments=ARGUMENTS)

    with pytest.raises(ModelError, match="holds what JSON cannot"):
        write_model(model, [build_network("UNet", ARGUMENTS).state_dict()])
    assert not (tmp_path / "m").exists()


def test_truncated_weights_are_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-7])

    with pytest.raises(ModelError, match="truncated or was changed"):
        load_network(read_model(folder))


def test_one_changed_bit_is_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))

    with pytest.raises(ModelError, match="sha256"):
        load_network(read_model(folder))


def packed(folder: Path, content: bytes) -> None:
    (folder / "weights.safetensors.xz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    _edit(folder, weights=[{"file": "weights.safetensors.xz", "sha256": digest}])


def test_weights_may_be_packed(folder: Path) -> None:
    plain = load_network(read_model(folder)).state_dict()
    packed(folder, lzma.compress((folder / "weights.safetensors").read_bytes()))

    unpacked = load_network(read_model(folder)).state_dict()

    assert all(unpacked[name].equal(value) for name, value in plain.items())
    assert read_model(folder).weights[0].name == "weights.safetensors.xz"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no xz at all", "is no xz file of weights"),
        (lzma.compress(bytes(1000))[:-20], "does not end where weights"),
        (lzma.compress(bytes(1 << 26)), "does not end where weights"),  # 10 kB that hold 64 MiB
        (lzma.compress(b"not safetensors"), "does not fit network"),
    ],
)
def test_packed_weights_that_are_none_are_refused(
    folder: Path, content: bytes, message: str
) -> None:
    packed(folder, content)
    with pytest.raises(ModelError, match=message):
        load_network(read_model(folder))


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text())
    content["network"]["arguments"]["features_per_stage"] = [8, 16]
    _edit(folder, network=content["network"])

    with pytest.raises(ModelError, match="does not fit network PlainConvUNet"):
        load_network(read_model(folder))


def test_weights_that_are_no_safetensors_are_refused(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"\x80\x04pickle")
    digest = hashlib.sha256(b"\x80\x04pickle").hexdigest()
    _edit(folder, weights=[{"file": "weights.safetensors", "sha256": digest}])

    with pytest.raises(ModelError, match="does not fit"):
        load_network(read_model(folder))


def test_absent_weights_are_named(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()

    with pytest.raises(ModelError, match="cannot be read"):
        load_network(read_model(folder))


def test_a_folder_without_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a model folder"):
        read_model(tmp_path)


def _tiles(**changes: object) -> dict[str, object]:
    return {"tiles": {"shape": [8, 8, 8], "overlap": 0.5, **changes}}


def _sampling(**changes: object) -> dict[str, object]:
    return {"sampling": {"orientation": "SPL", "spacing_mm": [1, 1, 1], **changes}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "no model description"),
        ({"format_version": 99}, "format version 99"),
        ({"labels": []}, "labels with names"),
        ({"labels": [{"label": 2}]}, "expected label 1"),
        (_tiles(shape=[8, 8]), "tile of three"),
        (_tiles(shape=[8, 8, 0]), "three positive sizes"),
        (_tiles(overlap=1.0), "overlap"),
        (_tiles(placement="random"), "placement is one of"),
        (_tiles(colour="red"), "TypeError"),
        (_sampling(orientation="XYZ"), "XYZ"),
        (_sampling(spacing_mm=[1, 1, -1]), "three positive spacings"),
        (_sampling(method="magic"), "method is one of"),
        (_sampling(nearest_beyond=0.5), "nearest_beyond above 1"),
        ({"weights": [{"file": "/etc/passwd", "sha256": ""}]}, "expected the weights in"),
        ({"weights": [{"file": "../x.safetensors", "sha256": ""}]}, "expected the weights in"),
        ({"weights": []}, "at least one file of weights"),
        ({"inputs": [{"channel": 0, "steps": [{"step": "exec"}]}]}, "expected a step of"),
        ({"inputs": []}, "at least one file of weights and one input"),
        ({"dimensions": 4}, "dimensions is one of"),
        ({"dimensions": 2}, "tiles of one slice"),
        ({"activation": "relu"}, "activation is one of"),
        ({"outputs": [99]}, "outputs to be labels"),
        ({"mirror": [3]}, "axes from 0 to 2"),
        ({"previous": "../elsewhere"}, "in the folder 'previous'"),
        ({"previous": "previous"}, "no model.json in"),
        ({"network": "UNet"}, "TypeError"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    _edit(folder, **changes)

    with pytest.raises(ModelError, match=message):
        read_model(folder)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text("{"),
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_bytes(b"\xff\xfe{}"),
        lambda path: path.write_text("1" * 10_000),
    ],
)
def test_a_description_that_is_not_json_is_refused(
    folder: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(folder / "model.json")

    with pytest.raises(ModelError, match="not JSON"):
        read_model(folder)
