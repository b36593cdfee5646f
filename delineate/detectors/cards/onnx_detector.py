"""A detector made of a card and the ONNX file beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from delineate.detectors.cards.card import Card, OnnxPart, read_card
from delineate.detectors.cards.network import NetworkDetector, wanted_outputs
from delineate.detectors.cards.onnx_graph import Engine, Port, external_files, open_graph
from delineate.errors import DetectorError, ModelError
from delineate.plugins import Monitor

__all__ = ["OnnxDetector", "digest"]


class OnnxDetector(NetworkDetector):
    """Runs the network of a card's folder on the CPU.

    Parameters
    ----------
    folder
        As `store.add` left it.

    Raises
    ------
    ModelError
        If a file is not as declared, reads other files, or does not fit what the card says.
    MissingExtraError
        If nothing is installed that runs ONNX files.
    """

    def __init__(self, folder: str | Path) -> None:
        card = read_card(Path(folder))
        part = _part(card)
        _demand_files(Path(folder), part)
        engine = open_graph(Path(folder) / part.file)
        _demand_input(engine, part)
        names = [port.name for port in engine.outputs]
        if missing := sorted(set(wanted_outputs(part.output)) - set(names)):
            raise ModelError(f"{part.file} has no outputs {missing}; it has {names}")
        super().__init__(card, part.input, part.output, _Local(engine), f"cpu ({engine.name})")


class _Local:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(
        self, tensor: NDArray[Any], outputs: Sequence[str], monitor: Monitor
    ) -> Mapping[str, NDArray[Any]]:
        names = outputs or [self._engine.outputs[0].name]
        try:
            found = self._engine.run(tensor, names)
        except Exception as error:  # both engines raise kinds of their own
            text = " ".join(str(error).split())[:400]
            raise DetectorError(
                f"the network failed on an input of shape {tensor.shape}: {text}"
            ) from error
        return dict(zip(names, found, strict=True))


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _part(card: Card) -> OnnxPart:
    if card.onnx is None:
        raise ModelError(f"the card {card.id} has no part 'onnx'")
    return card.onnx


def _demand_files(folder: Path, part: OnnxPart) -> None:
    for one in part.files:
        path = folder / one.file
        if not path.is_file() or path.is_symlink():
            raise ModelError(f"the card's file {one.file} is not beside it in {folder}")
        if (found := digest(path)) != one.sha256:
            raise ModelError(
                f"{one.file} is not the file that the card was added with: expected sha256 "
                f"{one.sha256}, got {found}; remove the card and add it again"
            )
    named = external_files(folder / part.file)
    if stray := sorted(named - {one.file for one in part.external}):
        raise ModelError(
            f"{part.file} keeps numbers in {', '.join(stray)}, which the card does not name "
            "(external): such files lie beside the card and nowhere else"
        )


def _demand_input(engine: Engine, part: OnnxPart) -> None:
    """Hold what the card says of the input against the graph."""
    taken = part.input
    if len(engine.inputs) != 1 or (taken.name or engine.inputs[0].name) != engine.inputs[0].name:
        raise ModelError(
            f"expected one input {taken.name or ''!r} of {part.file}, got "
            f"{[port.name for port in engine.inputs]}"
        )
    port = engine.inputs[0]
    if port.dtype != taken.dtype:
        raise ModelError(f"{part.file} takes {port.dtype} samples, the card says {taken.dtype}")
    if len(port.shape) != len(taken.layout):
        raise ModelError(
            f"{part.file} takes {len(port.shape)} axes {_words(port)}, the card says {taken.layout}"
        )
    fixed = dict(zip(taken.layout, port.shape, strict=True))
    sizes = [fixed[axis] for axis in taken.layout if axis not in "NC"]
    if fixed["N"] not in (None, 1):
        raise ModelError(f"{part.file} takes {fixed['N']} images at once, expected 1 or any number")
    wanted = taken.size or (None,) * taken.axes
    for size, said in zip(sizes, wanted, strict=True):
        if size is not None and size != said:
            raise ModelError(
                f"{part.file} takes {_words(port)} samples ({taken.layout}), the card says "
                f"{list(taken.size) if taken.size else 'any'} (input.size)"
            )


def _words(port: Port) -> str:
    return " x ".join("any" if size is None else str(size) for size in port.shape)
