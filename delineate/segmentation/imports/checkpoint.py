"""Read the weights of a torch checkpoint from strangers.

torch's reader for weights alone runs nothing: it knows tensors, plain values and the globals that
are named here. Numbers of numpy, which nnU-Net's checkpoints have in their logs, are read by
stand-ins, so that numpy's own unpickling is not needed.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from delineate.errors import ModelError
from delineate.segmentation.networks import build_network

__all__ = ["fitted", "read_checkpoint", "weights_of"]

_MOST_BYTES = 16 << 30
_MOST_PICKLE = 256 << 20
_MOST_ENTRIES = 100_000
_CONTAINERS = ("model", "state_dict", "network", "net", "model_state_dict", "network_weights")
_CODES = {"f2": "e", "f4": "f", "f8": "d", "b1": "?"} | {
    f"{kind}{size}": code
    for kind, codes in (("i", "bhiq"), ("u", "BHIQ"))
    for size, code in zip((1, 2, 4, 8), codes, strict=True)
}


def read_checkpoint(path: Path) -> Any:
    """What `torch.save` wrote, tensors on the CPU.

    Raises
    ------
    ModelError
        If the file is truncated, no such file, TorchScript, packed so that it grows, or names
        anything but weights and plain values. Nothing of it has been run then.
    """
    _check_archive(path)
    safe: list[Any] = [
        (_number, "numpy.core.multiarray.scalar"),
        (_number, "numpy._core.multiarray.scalar"),
        (_Kind, "numpy.dtype"),
    ]
    try:
        with torch.serialization.safe_globals(safe):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile pickle ends in any of them
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = (
            f"names {named[1]}, expected weights and plain values alone"
            if named
            else f"is damaged: {' '.join(str(error).split())[:200]}"
        )
        raise ModelError(f"the checkpoint {path.name} {what}; nothing of it was run") from error


def _check_archive(path: Path) -> None:
    """Refuse what is not an archive as `torch.save` writes it, before torch opens it."""
    try:
        size = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ModelError(
            f"{path.name} is no checkpoint, or a truncated one: expected the zip that torch.save "
            f"writes since torch 1.6 ({error})"
        ) from error
    names = [entry.filename.partition("/")[2] for entry in entries]
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        raise ModelError(f"{path.name} is TorchScript, which is code; expected weights alone")
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    total = sum(entry.file_size for entry in entries)
    pickled = sum(
        entry.file_size for entry, name in zip(entries, names, strict=True) if name == "data.pkl"
    )
    if not stored or total > size:
        raise ModelError(f"{path.name} is packed; expected the plain archive of torch.save")
    if size > _MOST_BYTES or pickled > _MOST_PICKLE or len(entries) > _MOST_ENTRIES:
        raise ModelError(f"{path.name} is larger than any model that is read here")


class _Kind:
    """Stands for ``numpy.dtype``."""

    def __init__(self, code: str, *rest: Any) -> None:
        self.code = code
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1])


def _number(kind: Any, content: Any) -> Any:
    """Stands for numpy's own function: a plain number from its bytes."""
    code = _CODES.get(kind.code) if isinstance(kind, _Kind) else None
    if code is None or not isinstance(content, bytes):
        raise ValueError("expected a number of numpy")
    return struct.unpack((">" if kind.order == ">" else "<") + code, content)[0]


def weights_of(content: Any, name: str) -> dict[str, torch.Tensor]:
    """The state dictionary in a checkpoint, which may hold other things beside it.

    Raises
    ------
    ModelError
        If there is none.
    """
    candidates = [content]
    if isinstance(content, Mapping):
        candidates += [content[key] for key in _CONTAINERS if key in content]
    for candidate in candidates:
        if (
            isinstance(candidate, Mapping)
            and candidate
            and all(isinstance(value, torch.Tensor) for value in candidate.values())
        ):
            return {str(key).removeprefix("module."): value for key, value in candidate.items()}
    kind = sorted(map(str, content))[:8] if isinstance(content, Mapping) else type(content).__name__
    raise ModelError(
        f"{name} holds no weights by their names; expected them alone or as one of "
        f"{', '.join(_CONTAINERS)}, found {kind}"
    )


def fitted(
    network: str, arguments: Mapping[str, Any], state: Mapping[str, torch.Tensor], name: str
) -> dict[str, torch.Tensor]:
    """The weights as the network has them, after a check of every name and shape.

    Raises
    ------
    ModelError
        If one is missing, too many, of another shape, or not finite.
    """
    wanted = build_network(network, arguments).state_dict()
    missing, spare = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    if missing or spare:
        parts = [f"lacks {', '.join(missing[:3])}"] if missing else []
        parts += [f"has {', '.join(spare[:3])} too many"] if spare else []
        raise ModelError(
            f"{name} does not fit network {network}: it {' and '.join(parts)} "
            f"({len(missing)} missing, {len(spare)} too many of {len(wanted)})"
        )
    for key, value in state.items():
        expected = wanted[key]
        if value.layout != torch.strided or value.shape != expected.shape:
            raise ModelError(
                f"{name} does not fit network {network}: {key} has shape {tuple(value.shape)}, "
                f"expected {tuple(expected.shape)}"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(f"{name}: {key} holds numbers that are not finite")
    return {key: state[key].to(wanted[key].dtype) for key in wanted}
