"""Cards whose network is an ONNX file beside them."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from card_files import names, picture, pointwise, save, spec_of, written
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from strategies import labelmaps

from delineate import delineate
from delineate.detectors.cards import onnx_graph
from delineate.detectors.cards.onnx_detector import OnnxDetector
from delineate.detectors.cards.tensors import Frame
from delineate.errors import (
    BadDetectionError,
    DetectorError,
    MissingExtraError,
    ModelError,
    UnsuitableImageError,
)
from delineate.imaging import Image, LabelMap
from delineate.plugins import Classes, Field, Instances, Masks

LABELS = {"form": "labels"}
ONE = {"gives": "labelmap", "categories": names("bright")}


@pytest.fixture(scope="module")
def volume_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume's samples from 0.5 on are bright, from 1.5 on brighter; axes in multiples of 4."""
    folder = tmp_path_factory.mktemp("volume")
    pointwise(folder / "net.onnx", (0.0, 10.0, 20.0), (0.0, -5.0, -20.0), axes=3)
    return folder


@settings(max_examples=40)
@given(labelmaps(max_label=2), st.sampled_from(("NCDHW", "NCHW")))
def test_labels_come_back_on_the_samples_they_are_on(
    tmp_path_factory: pytest.TempPathFactory, drawn: LabelMap, layout: str
) -> None:
    folder = tmp_path_factory.mktemp("law")
    axes = len(layout) - 2
    pointwise(folder / "net.onnx", (0.0, 10.0, 20.0), (0.0, -5.0, -20.0), axes=axes)
    spec = spec_of(
        folder,
        {"input": {"layout": layout, "multiple": 4}, "output": LABELS},
        gives="labelmap",
        categories=names("one", "two"),
    )

    found = delineate(Image(drawn.array, drawn.grid), spec).output

    assert isinstance(found, LabelMap)
    np.testing.assert_array_equal(found.array, drawn.array)
    assert found.grid.matches(drawn.grid)


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=3),
    st.lists(st.integers(1, 40), min_size=3, max_size=3),
    st.lists(st.integers(1, 40), min_size=3, max_size=3),
    st.booleans(),
)
def test_outer_faces_of_output_and_image_coincide(
    extent: list[int], more: list[int], shape: list[int], stretched: bool
) -> None:
    axes = len(extent)
    target = [n if stretched else n + m for n, m in zip(extent, more, strict=False)]
    frame = Frame(tuple(extent), tuple(target), stretched)
    faces = np.array([[-0.5] * axes, [n - 0.5 for n in shape[:axes]]])

    low, high = frame.to_image(faces, tuple(shape[:axes]))

    np.testing.assert_allclose(low, -0.5)
    np.testing.assert_allclose(high, np.array(extent if stretched else target) - 0.5)


def test_a_network_of_fixed_size_is_given_tiles(tmp_path: Path) -> None:
    pointwise(tmp_path / "net.onnx", (0.0, 10.0), (0.0, -5.0), size=(16, 16))
    said = {"input": {"size": [16, 16]}, "output": LABELS}
    spec = spec_of(tmp_path, said, **ONE)
    array = (np.random.default_rng(1).random((50, 37)) > 0.5).astype(np.uint8)

    found = delineate(picture(array), spec).output

    assert spec.wants.tile is not None
    assert spec.wants.tile[1:] == (16, 16)
    assert isinstance(found, LabelMap)
    np.testing.assert_array_equal(found.array[0], array)


def test_scores_are_mean_probabilities(tmp_path: Path) -> None:
    pointwise(tmp_path / "net.onnx", (0.0, np.log(3.0)), (0.0, 0.0))
    spec = spec_of(tmp_path, {"input": {}, "output": LABELS}, **ONE)

    found = delineate(picture(np.ones((4, 4), np.uint8)), spec)

    assert found.findings[0].score == pytest.approx(0.75)  # exp(log 3) / (1 + exp(log 3))


def test_channels_are_picked_scaled_and_normalised_as_the_card_says(tmp_path: Path) -> None:
    # The field is the third channel of the input, which is the first of the image.
    save(
        tmp_path / "net.onnx",
        [helper.make_node("Identity", ["x"], ["y"])],
        [1, 3, "h", "w"],
        {"y": [1, 3, "h", "w"]},
    )
    taken = {"channels": [2, 1, 0], "scale": 0.5, "mean": [1.0, 2.0, 3.0], "std": [1.0, 2.0, 4.0]}
    output = {"form": "field", "channel": 2, "meaning": "redness", "threshold": 0.0}
    spec = spec_of(
        tmp_path,
        {"input": taken, "output": output},
        gives="field",
        categories=names("red"),
    )
    array = np.zeros((2, 3, 3), np.uint8)
    array[..., 0] = 10

    found = delineate(picture(array, "red", "green", "blue"), spec).output

    assert isinstance(found, Field)
    np.testing.assert_allclose(found.array, (10 * 0.5 - 3.0) / 4.0)
    assert (found.meaning, found.threshold) == ("redness", 0.0)


def test_channels_may_come_last(tmp_path: Path) -> None:
    save(
        tmp_path / "net.onnx",
        [helper.make_node("Identity", ["x"], ["y"])],
        [1, "h", "w", 2],
        {"y": [1, "h", "w", 2]},
    )
    output = {"form": "masks", "activation": "none", "threshold": 0.5}
    spec = spec_of(
        tmp_path,
        {"input": {"layout": "NHWC"}, "output": output},
        gives="masks",
        categories=names("a", "b"),
    )
    array = np.random.default_rng(2).integers(0, 2, (5, 7, 2)).astype(np.uint8)

    found = delineate(picture(array, "first", "second"), spec).output

    assert isinstance(found, Masks)
    np.testing.assert_array_equal(found.array[:, 0], np.moveaxis(array, -1, 0) == 1)


def test_classes_are_calibrated_by_their_temperature(tmp_path: Path) -> None:
    save(
        tmp_path / "net.onnx",
        [
            helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["y"]),
        ],
        [1, 1, 8, 8],
        {"y": [1, 2]},
        {"w": np.array([[0.0, 1.0]], np.float32), "b": np.zeros(2, np.float32)},
    )
    said = {
        "input": {"size": [8, 8], "fit": "stretch"},
        "output": {"form": "classes", "temperature": 2.0},
    }
    spec = spec_of(tmp_path, said, gives="classes", categories=names("dark", "light"))

    found = delineate(picture(np.full((30, 20), 2, np.uint8)), spec).output

    assert isinstance(found, Classes)
    light = {c.name: p for c, p in found.probabilities.items()}["light"]
    assert light == pytest.approx(np.exp(2.0 / 2) / (1 + np.exp(2.0 / 2)))


def test_peaks_of_a_coarser_map_are_at_the_middle_of_what_they_stand_for(tmp_path: Path) -> None:
    save(
        tmp_path / "net.onnx",
        [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[4, 4], strides=[4, 4])],
        [1, 1, "h", "w"],
        {"y": [1, 1, "i", "j"]},
    )
    output = {"form": "peaks", "activation": "none", "distance": 4}
    spec = spec_of(
        tmp_path,
        {"input": {"multiple": 4, "padding": "zero"}, "output": output},
        gives="instances",
        categories=names("fly"),
    )
    array = np.zeros((17, 22), np.float32)
    array[5, 9] = 0.9  # in the cell of rows 4 to 7 and columns 8 to 11
    array[16, 1] = 0.6  # in one of rows 16 to 19, of which 17 to 19 are padding

    found = delineate(picture(array), spec).output

    assert isinstance(found, Instances)
    points = {round(item.score, 3): item.point for item in found.items}
    assert points == {0.9: (0.0, 5.5, 9.5), 0.6: (0.0, 16.5, 1.5)}


def test_peaks_in_a_volume_have_three_indices(tmp_path: Path) -> None:
    save(
        tmp_path / "net.onnx",
        [helper.make_node("Identity", ["x"], ["y"])],
        [1, 1, "d", "h", "w"],
        {"y": [1, 1, "d", "h", "w"]},
    )
    output = {"form": "peaks", "activation": "none", "distance": 2}
    said = {"input": {"layout": "NCDHW"}, "output": output}
    spec = spec_of(tmp_path, said, gives="instances", categories=names("nodule"))
    array = np.zeros((6, 7, 8), np.float32)
    array[1, 2, 3], array[4, 6, 0] = 1.0, 0.5  # 0.5 is the threshold: it counts
    array[1, 2, 4] = 0.7  # next to a higher one
    grid = picture(array[0]).grid

    found = delineate(Image(array, type(grid).regular((6, 7, 8))), spec).output

    assert isinstance(found, Instances)
    assert sorted(item.point for item in found.items if item.point) == [(1, 2, 3), (4, 6, 0)]


ROWS = np.array(
    [
        [4.0, 2.0, 10.0, 6.0, 0.9, 1.0],  # x from 4 to 10, y from 2 to 6
        [4.5, 2.0, 10.0, 6.0, 0.8, 1.0],  # nearly the same
        [0.0, 0.0, 2.0, 2.0, 0.3, 1.0],  # not sure enough
    ],
    np.float32,
)
BOX = ((-0.5, 1.5, 3.5), (0.5, 5.5, 9.5))  # on the faces of rows 2 to 5 and columns 4 to 9


@pytest.mark.parametrize("order", ["xyxy", "yxyx", "cxcywh"])
@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_boxes_lie_on_the_faces_of_samples(
    tmp_path: Path, order: str, normalised: bool, apart: bool
) -> None:
    rows = ROWS.copy()
    if order == "yxyx":
        rows[:, :4] = rows[:, [1, 0, 3, 2]]
    if order == "cxcywh":
        low, high = rows[:, :2].copy(), rows[:, 2:4].copy()
        rows[:, :2], rows[:, 2:4] = (low + high) / 2, high - low
    if normalised:
        width_first = order != "yxyx"
        rows[:, :4] /= [32, 16, 32, 16] if width_first else [16, 32, 16, 32]
    outputs: dict[str, Any] = {"boxes": rows[:, :4], "scores": rows[:, 4], "labels": rows[:, 5]}
    if not apart:
        outputs = {"rows": rows[None]}
    nodes = [
        helper.make_node("ReduceMin", ["x"], ["lowest"], keepdims=0),
        *(helper.make_node("Add", ["lowest", f"n_{name}"], [name]) for name in outputs),
    ]
    save(
        tmp_path / "net.onnx",
        nodes,
        [1, 1, 16, 32],
        {name: array.shape for name, array in outputs.items()},
        {f"n_{name}": array for name, array in outputs.items()},
    )
    output = {"form": "boxes", "order": order, "normalised": normalised, "first_label": 1}
    named = {"name": "boxes", "scores": "scores", "labels": "labels"} if apart else {}
    spec = spec_of(
        tmp_path,
        {
            "input": {"size": [16, 32], "fit": "stretch"},
            "output": {**output, **named, "iou": 0.5},
        },
        gives="instances",
        categories=names("wasp"),
    )

    same = delineate(picture(np.zeros((16, 32), np.uint8)), spec).output
    twice = delineate(picture(np.zeros((32, 64), np.uint8)), spec).output

    assert isinstance(same, Instances)
    assert isinstance(twice, Instances)
    (one,), (larger,) = same.items, twice.items
    np.testing.assert_allclose(one.box, BOX, atol=1e-5)
    assert one.score == pytest.approx(0.9)
    doubled = (np.array(BOX)[:, 1:] + 0.5) * 2 - 0.5
    np.testing.assert_allclose(np.array(larger.box)[:, 1:], doubled, atol=1e-5)


def test_a_restored_image_is_finer_and_lies_where_the_image_does(tmp_path: Path) -> None:
    save(
        tmp_path / "net.onnx",
        [helper.make_node("Resize", ["x", "", "s"], ["y"], mode="nearest")],
        [1, 1, "h", "w"],
        {"y": [1, 1, "i", "j"]},
        {"s": np.array([1, 1, 2, 2], np.float32)},
    )
    said = {"input": {"multiple": 4}, "output": {"form": "image", "factor": 2, "scale": 3.0}}
    spec = spec_of(tmp_path, said, gives="image")
    array = np.arange(35, dtype=np.uint8).reshape(5, 7)

    found = delineate(picture(array), spec).output

    assert isinstance(found, Image)
    np.testing.assert_allclose(found.array[0], 3.0 * array.repeat(2, 0).repeat(2, 1))
    assert found.grid.spacing == (1.0, 0.5, 0.5)
    np.testing.assert_allclose(found.grid.to_world((0, -0.5, -0.5)), (-0.5, -0.5, 0.0))


def test_labels_may_come_as_numbers(tmp_path: Path) -> None:
    save(
        tmp_path / "net.onnx",
        [
            helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Squeeze", ["whole", "axis"], ["y"]),
        ],
        [1, 1, "h", "w"],
        {"y": [1, "h", "w"]},
        {"axis": np.array([1])},
        kinds={"y": TensorProto.INT64},
    )
    output = {"form": "labels", "activation": "index"}
    spec = spec_of(tmp_path, {"input": {}, "output": output}, **ONE)
    array = np.array([[0, 1], [1, 0]], np.uint8)

    found = delineate(picture(array), spec).output
    with pytest.raises(BadDetectionError, match="labels from 0 to 2, the card has 1 categories"):
        delineate(picture(array * 2), spec)

    assert isinstance(found, LabelMap)
    np.testing.assert_array_equal(found.array[0], array)


def test_the_threshold_is_an_option_of_what_has_one(tmp_path: Path) -> None:
    pointwise(tmp_path / "net.onnx", (1.0,), (0.0,))
    said = {"input": {}, "output": {"form": "masks"}}
    spec = spec_of(tmp_path, said, gives="masks", categories=names("bright"))
    image = picture(np.array([[0, 1, 2]], np.uint8))  # sigmoid: 0.5, 0.73, 0.88

    counts = [
        delineate(image, spec, {"threshold": t}).findings[0].measurements["area_px"]
        for t in (None, 0.6, 0.8)
    ]

    assert counts == [3, 2, 1]


def test_onnx_runtime_and_openvino_agree(
    volume_card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensor = np.random.default_rng(3).normal(size=(1, 1, 4, 8, 12)).astype(np.float32)
    first = onnx_graph.open_graph(volume_card / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    second = onnx_graph.open_graph(volume_card / "net.onnx")

    assert (first.name, second.name) == ("onnxruntime", "openvino")
    assert first.inputs == second.inputs
    np.testing.assert_allclose(first.run(tensor, ["y"])[0], second.run(tensor, ["y"])[0], atol=1e-4)


def test_without_either_the_error_names_the_extra(
    volume_card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(MissingExtraError, match=r"delineate\[openvino\]"):
        onnx_graph.open_graph(volume_card / "net.onnx")


def test_the_fields_that_lead_to_tensors_are_those_of_onnx() -> None:
    for message, inner in onnx_graph._FIELDS.items():
        fields = getattr(onnx, message).DESCRIPTOR.fields
        known = {
            field.number: field.message_type.name
            for field in fields
            if field.message_type is not None and field.message_type.name in onnx_graph._FIELDS
        }
        if message == "TensorProto":
            known = {13: "StringStringEntryProto"}
            assert onnx.TensorProto.DESCRIPTOR.fields_by_name["external_data"].number == 13
        assert dict(inner) == known


def _external(location: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def test_files_that_a_graph_reads_are_found_wherever_it_names_them(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["c"], value=_external("in-a-node.bin"))
    body = helper.make_graph([constant], "body", [], [])
    branch = helper.make_node("If", ["k"], ["y"], then_branch=body, else_branch=body)
    graph = helper.make_graph([branch], "graph", [], [], [_external("../../etc/passwd")])
    path = tmp_path / "net.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())

    assert onnx_graph.external_files(path) == {"in-a-node.bin", "../../etc/passwd"}


@settings(max_examples=60)
@given(st.data())
def test_whatever_is_in_a_file_the_search_ends(
    tmp_path_factory: pytest.TempPathFactory, volume_card: Path, data: st.DataObject
) -> None:
    whole = bytearray((volume_card / "net.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("odd") / "net.onnx"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])

    with contextlib.suppress(ModelError):  # and no error of another kind is raised
        onnx_graph.external_files(path)


def test_a_graph_that_reads_other_files_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2, 4])],
        [_external("/etc/hostname")],
    )
    (tmp_path / "net.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    written(tmp_path, {"input": {"size": [2, 4]}, "output": LABELS}, **ONE)

    with pytest.raises(ModelError, match="keeps numbers in /etc/hostname"):
        OnnxDetector(tmp_path)


@pytest.mark.parametrize(
    ("onnx_part", "message"),
    [
        ({"input": {"name": "z"}}, r"expected one input 'z' of net.onnx, got \['x'\]"),
        ({"input": {"layout": "NCDHW"}}, "takes 4 axes"),
        ({"input": {"dtype": "uint8"}}, "takes float32 samples, the card says uint8"),
        ({"input": {"size": [8, 8]}}, r"takes 1 x 1 x 16 x 16 samples \(NCHW\), the card says"),
        ({"input": {}}, "the card says any"),
        (
            {"input": {"size": [16, 16]}, "output": {"form": "labels", "name": "seg"}},
            r"has no outputs \['seg'\]; it has \['y'\]",
        ),
    ],
)
def test_a_card_that_does_not_fit_its_graph_is_refused(
    tmp_path: Path, onnx_part: dict[str, Any], message: str
) -> None:
    pointwise(tmp_path / "net.onnx", (0.0, 1.0), (0.0, 0.0), size=(16, 16))
    written(tmp_path, {"output": LABELS, **onnx_part}, **ONE)

    with pytest.raises(ModelError, match=message):
        OnnxDetector(tmp_path)


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    pointwise(tmp_path / "net.onnx", (0.0, 1.0), (0.0, 0.0))
    written(tmp_path, {"input": {}, "output": LABELS}, **ONE)
    pointwise(tmp_path / "net.onnx", (0.0, 2.0), (0.0, 0.0))

    with pytest.raises(ModelError, match="not the file that the card was added with"):
        OnnxDetector(tmp_path)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"form": "labels"}, "expected 4 channels of the output 'y', the background and one"),
        ({"form": "labels", "activation": "sigmoid"}, "expected 3 channels"),
        ({"form": "labels", "activation": "none"}, "expected 4 channels|expected probabilities"),
        ({"form": "masks"}, "expected 3 channels of the output 'y', got 2"),
        ({"form": "peaks"}, "expected 3 channels"),
        ({"form": "boxes"}, r"of shape \(n, 6\) or \(1, n, 6\), got \(1, 2, 4, 4\)"),
        ({"form": "classes"}, "expected 3 numbers in 'y'"),
    ],
)
def test_outputs_of_another_form_are_refused(
    tmp_path: Path, output: dict[str, Any], message: str
) -> None:
    pointwise(tmp_path / "net.onnx", (1.0, 5.0), (0.0, 0.0))
    kinds = {"labels": "labelmap", "peaks": "instances", "boxes": "instances"}
    gives = kinds.get(output["form"], output["form"])
    spec = spec_of(
        tmp_path, {"input": {}, "output": output}, gives=gives, categories=names("a", "b", "c")
    )

    with pytest.raises(BadDetectionError, match=message):
        delineate(picture(np.ones((4, 4), np.uint8)), spec)


def test_values_that_are_no_probabilities_are_refused(tmp_path: Path) -> None:
    pointwise(tmp_path / "net.onnx", (5.0,), (0.0,))
    output = {"form": "masks", "activation": "none"}
    spec = spec_of(tmp_path, {"input": {}, "output": output}, gives="masks", categories=names("a"))

    with pytest.raises(BadDetectionError, match=r"got values from 0 to 5; say in the card which"):
        delineate(picture(np.ones((4, 4), np.uint8)), spec)


def test_nan_is_refused(tmp_path: Path) -> None:
    pointwise(tmp_path / "net.onnx", (np.nan,), (0.0,))
    said = {"input": {}, "output": {"form": "masks"}}
    spec = spec_of(tmp_path, said, gives="masks", categories=names("a"))

    with pytest.raises(BadDetectionError, match="NaN"):
        delineate(picture(np.ones((4, 4), np.uint8)), spec)


def test_samples_that_the_network_cannot_hold_are_refused(tmp_path: Path) -> None:
    save(
        tmp_path / "net.onnx",
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
        [1, 1, "h", "w"],
        {"y": [1, 1, "h", "w"]},
        kind=TensorProto.UINT8,
    )
    output = {"form": "field", "meaning": "value", "threshold": 9.0}
    said = {"input": {"dtype": "uint8"}, "output": output}
    spec = spec_of(tmp_path, said, gives="field", categories=names("high"))

    with pytest.raises(UnsuitableImageError, match="takes uint8 samples, the image's go from -1"):
        delineate(picture(np.full((2, 2), -1, np.int16)), spec)


def test_a_network_that_fails_says_on_what(tmp_path: Path) -> None:
    save(
        tmp_path / "net.onnx",
        [helper.make_node("Reshape", ["x", "s"], ["y"])],
        [1, 1, "h", "w"],
        {"y": [1, 1, 4, 4]},
        {"s": np.array([1, 1, 4, 4])},
    )
    said = {"input": {}, "output": {"form": "masks"}}
    spec = spec_of(tmp_path, said, gives="masks", categories=names("a"))

    with pytest.raises(DetectorError, match=r"failed on an input of shape \(1, 1, 3, 5\)"):
        delineate(picture(np.ones((3, 5), np.uint8)), spec)


def test_operators_of_strangers_are_not_run(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Anything", ["x"], ["y"], domain="evil.example")],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, "h", "w"])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil.example", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    written(tmp_path, {"input": {}, "output": LABELS}, **ONE)

    with pytest.raises(ModelError, match="expected an ONNX file of standard operators"):
        OnnxDetector(tmp_path)


def test_what_is_recorded_says_what_ran(tmp_path: Path) -> None:
    pointwise(tmp_path / "net.onnx", (0.0, 1.0), (0.0, 0.0))
    spec = spec_of(tmp_path, {"input": {}, "output": LABELS}, **ONE)

    made = delineate(picture(np.ones((4, 4), np.uint8)), spec).provenance

    assert made.device == "cpu (onnxruntime)"
    declared = json.loads((tmp_path / "card.json").read_text())["onnx"]
    assert [file.sha256 for file in made.weights] == [declared["sha256"]]
