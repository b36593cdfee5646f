"""Cards and real ONNX files for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from delineate.detectors.cards.card import Card, parse_card
from delineate.detectors.cards.declare import detector_of
from delineate.detectors.cards.onnx_detector import digest
from delineate.imaging import Grid, Image
from delineate.plugins import DetectorSpec

FLOAT = TensorProto.FLOAT


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str | None],
    outputs: Mapping[str, Sequence[int | str | None]],
    numbers: Mapping[str, Any] | None = None,
    kind: int = FLOAT,
    kinds: Mapping[str, int] | None = None,
) -> Path:
    """Write a graph with the input ``x``."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [
            helper.make_tensor_value_info(name, (kinds or {}).get(name, FLOAT), sizes)
            for name, sizes in outputs.items()
        ],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in (numbers or {}).items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def pointwise(
    path: Path,
    weights: Sequence[float],
    bias: Sequence[float],
    axes: int = 2,
    size: Sequence[int] | None = None,
    channels: int = 1,
) -> Path:
    """A convolution of one sample: output ``c`` is ``weights[c] * mean of channels + bias[c]``."""
    kernel = np.array(weights, np.float32).reshape(-1, 1, *[1] * axes) / channels
    kernel = np.repeat(kernel, channels, axis=1)
    sizes = list(size) if size is not None else [f"n{axis}" for axis in range(axes)]
    return save(
        path,
        [helper.make_node("Conv", ["x", "w", "b"], ["y"])],
        [1, channels, *sizes],
        {"y": [1, len(weights), *sizes]},
        {"w": kernel, "b": np.array(bias, np.float32)},
    )


def written(folder: Path, onnx_part: dict[str, Any], **said: Any) -> Card:
    """A card in a folder whose file ``net.onnx`` is there; as the store would leave it."""
    part = {"file": "net.onnx", "sha256": digest(folder / "net.onnx"), **onnx_part}
    document = {
        "schema": "delineate/card/1",
        "id": "test.card",
        "title": "A test",
        "licence": "Apache-2.0",
        "onnx": part,
        **said,
    }
    content = json.dumps(document)
    (folder / "card.json").write_text(content)
    return parse_card(content.encode())


def spec_of(folder: Path, onnx_part: dict[str, Any], **said: Any) -> DetectorSpec:
    return detector_of(written(folder, onnx_part, **said), folder)


def names(*called: str) -> list[dict[str, str]]:
    return [{"name": name} for name in called]


def picture(array: np.ndarray[Any, Any], *channels: str) -> Image:
    """A photograph of known pixels: ``(row, column)`` or ``(row, column, channel)``."""
    return Image(array[None], Grid.regular((1, *array.shape[:2]), unit="px"), "photo", channels)
