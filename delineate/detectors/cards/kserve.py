"""A detector whose network runs on a server of the Open Inference Protocol (KServe v2).

The protocol is that of https://kserve.github.io/website/docs/concepts/architecture/data-plane/
v2-protocol, with its extension for binary tensor data where a server lists that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.cards.card import Card, KservePart, read_card
from delineate.detectors.cards.network import NetworkDetector, wanted_outputs
from delineate.detectors.cards.server import Answer, Server, Session
from delineate.errors import BadDetectionError, DetectorError, ModelError
from delineate.plugins import Monitor

__all__ = ["KserveDetector", "filled_in"]

_BINARY = "binary_tensor_data"
_HEADER = "inference-header-content-length"
_DATATYPES: Mapping[str, str] = MappingProxyType(
    {
        "BOOL": "bool",
        "UINT8": "uint8",
        "UINT16": "uint16",
        "UINT32": "uint32",
        "UINT64": "uint64",
        "INT8": "int8",
        "INT16": "int16",
        "INT32": "int32",
        "INT64": "int64",
        "FP16": "float16",
        "FP32": "float32",
        "FP64": "float64",
    }
)
_NAMES = {dtype: name for name, dtype in _DATATYPES.items()}
_LARGEST = 2 << 30


class KserveDetector(NetworkDetector):
    """Sends the input of a network to a server, and reads its outputs.

    Parameters
    ----------
    folder
        As `store.add` left it.
    """

    def __init__(self, folder: str | Path) -> None:
        card = read_card(Path(folder))
        part = _part(card)
        remote = _Remote(part)
        super().__init__(card, part.input, part.output, remote, remote.name)


class _Remote:
    def __init__(self, part: KservePart) -> None:
        self._part, self._server = part, Server(part)
        self.name = self._server.name

    def run(
        self, tensor: NDArray[Any], outputs: Sequence[str], monitor: Monitor
    ) -> Mapping[str, NDArray[Any]]:
        part = self._part
        assert part.input.name is not None
        head, content = _request(part.input.name, tensor, outputs, bool(part.binary))
        path = _path(part) + "/infer"
        with self._server.session(monitor) as session:
            answer = session.request("POST", path, limit=_LARGEST, content=content, headers=head)
            try:
                return _outputs(answer)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise BadDetectionError(
                    f"{self.name} was asked POST {path}: its answer is none of the Open Inference "
                    f"Protocol ({type(error).__name__}: {error})"
                ) from None


def filled_in(card: Card) -> Card:
    """The card with the names and abilities that its server tells; no image is sent.

    Raises
    ------
    ModelError
        If the server's model is not what the card says.
    DetectorError
        If the server does not answer.
    """
    part = _part(card)
    server = Server(part)
    with server.session() as session:
        told = _told(session, "/v2")
        model = _told(session, _path(part))
    inputs, outputs = _ports(server.name, model, "inputs"), _ports(server.name, model, "outputs")
    if len(inputs) != 1:
        raise ModelError(f"expected a model of one input on {server.name}, got {sorted(inputs)}")
    name = part.input.name or next(iter(inputs))
    if name not in inputs:
        raise ModelError(
            f"{part.model} on {server.name} has no input {name!r}, but {sorted(inputs)}"
        )
    datatype, shape = inputs[name]
    if datatype != _NAMES[part.input.dtype]:
        raise ModelError(
            f"{part.model} on {server.name} takes {datatype}, the card says {part.input.dtype}"
        )
    if len(shape) != len(part.input.layout):
        raise ModelError(
            f"{part.model} on {server.name} takes the shape {shape}, the card says "
            f"{part.input.layout}"
        )
    if missing := sorted(set(wanted_outputs(part.output)) - set(outputs)):
        raise ModelError(
            f"{part.model} on {server.name} has no outputs {missing}, but {sorted(outputs)}"
        )
    binary = _BINARY in (told.get("extensions") or ()) if part.binary is None else part.binary
    if part.input.dtype == "float16" and not binary:
        raise ModelError("float16 travels as binary data alone, which this server does not take")
    given = part.output
    if given.name is None:
        given = given.model_copy(update={"name": next(iter(outputs), None)})
    taken = part.input.model_copy(update={"name": name})
    update = {"input": taken, "output": given, "binary": binary}
    return card.model_copy(update={"kserve": part.model_copy(update=update)})


def _part(card: Card) -> KservePart:
    if card.kserve is None:
        raise ModelError(f"the card {card.id} has no part 'kserve'")
    return card.kserve


def _path(part: KservePart) -> str:
    version = f"/versions/{part.model_version}" if part.model_version else ""
    return f"/v2/models/{part.model}{version}"


def _told(session: Session, path: str) -> dict[str, Any]:
    document = session.json("GET", path)
    if not isinstance(document, dict):
        raise DetectorError(f"{session.name} was asked GET {path}: expected a JSON object")
    return document


def _ports(server: str, model: Mapping[str, Any], kind: str) -> dict[str, tuple[str, list[int]]]:
    try:
        return {str(one["name"]): (str(one["datatype"]), list(one["shape"])) for one in model[kind]}
    except (KeyError, TypeError) as error:
        raise ModelError(f"{server} does not tell the {kind} of the model: {error}") from error


def _request(
    name: str, tensor: NDArray[Any], outputs: Sequence[str], binary: bool
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request."""
    little = tensor.astype(tensor.dtype.newbyteorder("<"), copy=False)
    sent: dict[str, Any] = {
        "name": name,
        "shape": list(tensor.shape),
        "datatype": _NAMES[tensor.dtype.name],
    }
    if not binary:
        sent["data"] = tensor.ravel().tolist()
        asked = [{"name": one} for one in outputs]
        body = json.dumps({"inputs": [sent], "outputs": asked}).encode()
        return {"Content-Type": "application/json"}, body
    sent["parameters"] = {"binary_data_size": little.nbytes}
    wanted = [{"name": one, "parameters": {"binary_data": True}} for one in outputs]
    body = json.dumps({"inputs": [sent], "outputs": wanted}).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(body)),
    }
    return headers, body + little.tobytes()


def _outputs(answer: Answer) -> dict[str, NDArray[Any]]:
    """Outputs by name, from JSON and what may follow it."""
    size = int(answer.headers.get(_HEADER, len(answer.body)))
    document, place = json.loads(answer.body[:size]), size
    found = {}
    for one in document["outputs"]:
        shape = tuple(int(n) for n in one["shape"])
        dtype = np.dtype(_DATATYPES[one["datatype"]]).newbyteorder("<")
        length = one.get("parameters", {}).get("binary_data_size")
        if length is None:
            array = np.array(one["data"], dtype).reshape(shape)
        else:
            if length != prod(shape) * dtype.itemsize or place + length > len(answer.body):
                raise ValueError(f"{one['name']} of shape {shape} has {length} bytes")
            array = np.frombuffer(answer.body, dtype, prod(shape), place).reshape(shape)
            place += length
        found[str(one["name"])] = array.astype(dtype.newbyteorder("="), copy=False)
    if place != len(answer.body):
        raise ValueError(f"{len(answer.body) - place} bytes are left over")
    return found
