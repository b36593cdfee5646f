"""ONNX files: which other files they read, and how they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from delineate.errors import MissingExtraError, ModelError

__all__ = ["Engine", "Port", "external_files", "open_graph"]

# Fields of onnx.proto that lead to a tensor: message -> number -> message.
_FIELDS: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
        "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
        "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
        "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
        "NodeProto": {5: "AttributeProto"},
        "AttributeProto": {
            5: "TensorProto",
            6: "GraphProto",
            10: "TensorProto",
            11: "GraphProto",
            22: "SparseTensorProto",
            23: "SparseTensorProto",
        },
        "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
        "TensorProto": {13: "StringStringEntryProto"},
    }
)
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph; sizes that are not fixed are ``None``."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class Engine(Protocol):
    """A graph that is ready to run on the CPU."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, tensor: NDArray[Any], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """Outputs by the names asked for."""
        ...


def external_files(path: Path) -> set[str]:
    """Names of the files that a graph says to keep numbers in.

    Read from the file itself, before anything that would open them is given it.

    Raises
    ------
    ModelError
        If it is no ONNX file.
    """
    try:
        whole = np.memmap(path, np.uint8, "r").data
        return {str(name, "utf-8") for name in _locations(whole, "ModelProto", 0)}
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path.name} is no ONNX file, or was cut off ({error})") from None


def _locations(data: memoryview, message: str, depth: int) -> Iterator[bytes]:
    if depth > _DEEPEST:
        raise ValueError("graphs within graphs without end")
    inner = _FIELDS[message]
    for number, value in _fields(data):
        kind = inner.get(number)
        if value is None or kind is None:
            continue
        if kind == "StringStringEntryProto":
            entry = {n: bytes(v) for n, v in _fields(value) if v is not None}
            if entry.get(1) == b"location":
                yield entry.get(2, b"")
        else:
            yield from _locations(value, kind, depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """Fields of a protocol buffer message; contents of those that have a length."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == 0:
            _, place = _varint(data, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        elif kind == 2:
            size, place = _varint(data, place)
            if place + size > len(data):
                raise ValueError("a field is longer than the file")
            yield tag >> 3, data[place : place + size]
            place += size
            continue
        else:
            raise ValueError(f"a field of wire type {kind}")
        yield tag >> 3, None
    if place != len(data):
        raise ValueError("the last field is cut off")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def open_graph(path: Path) -> Engine:
    """Make a graph ready to run, by ONNX Runtime if it is installed, else by OpenVINO.

    Raises
    ------
    MissingExtraError
        If neither is there.
    ModelError
        If the graph cannot be run: it is broken, or uses operators that are not ONNX's own.
    """
    engine: type[_OnnxRuntime | _OpenVino] = _OnnxRuntime
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        engine = _OpenVino
    try:
        return engine(path)
    except (MissingExtraError, ModelError):
        raise
    except Exception as error:  # both raise kinds of their own
        text = " ".join(str(error).split())[:400]
        raise ModelError(
            f"{path.name} cannot be run: {text}; expected an ONNX file of standard operators"
        ) from error


class _OnnxRuntime:
    name = "onnxruntime"

    def __init__(self, path: Path) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = tuple(map(self._port, self._session.get_inputs()))
        self.outputs = tuple(map(self._port, self._session.get_outputs()))

    @staticmethod
    def _port(port: Any) -> Port:
        kind = port.type.removeprefix("tensor(").removesuffix(")")
        dtype = {"float": "float32", "double": "float64"}.get(kind, kind)
        shape = tuple(size if isinstance(size, int) else None for size in port.shape)
        return Port(port.name, dtype, shape)

    def run(self, tensor: NDArray[Any], outputs: Sequence[str]) -> list[NDArray[Any]]:
        found = self._session.run(list(outputs), {self.inputs[0].name: tensor})
        return [np.asarray(one) for one in found]


class _OpenVino:
    name = "openvino"

    def __init__(self, path: Path) -> None:
        import sys

        if "openvino" not in sys.modules:  # importing this would report it over the network
            sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError(
                "a card with an ONNX file needs ONNX Runtime or OpenVINO, neither is installed; "
                "pip install 'delineate[openvino]', or 'delineate[onnxruntime]'"
            ) from error
        model = openvino.Core().read_model(path)
        settings = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
        self._compiled = openvino.Core().compile_model(model, "CPU", settings)
        self.inputs = tuple(map(self._port, self._compiled.inputs))
        self.outputs = tuple(map(self._port, self._compiled.outputs))

    @staticmethod
    def _port(port: Any) -> Port:
        shape = tuple(
            size.get_length() if size.is_static else None for size in port.get_partial_shape()
        )
        return Port(port.get_any_name(), port.get_element_type().to_dtype().name, shape)

    def run(self, tensor: NDArray[Any], outputs: Sequence[str]) -> list[NDArray[Any]]:
        found = self._compiled({self.inputs[0].name: tensor})
        return [np.array(found[name]) for name in outputs]
