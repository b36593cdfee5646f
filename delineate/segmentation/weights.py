"""Fill a model's network with its weights."""

from __future__ import annotations

import hashlib
import lzma
from typing import TYPE_CHECKING

from delineate.errors import ModelError
from delineate.segmentation.model import Model, WeightsFile
from delineate.segmentation.networks import build_network

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

__all__ = ["load_network", "verify_weights"]

_HEADER_BYTES, _XZ_BYTES = 1 << 20, 1 << 28


def load_network(model: Model, *, mirror: bool = False) -> nn.Module:
    """Build a model's network and load its weights, ready to infer on the CPU.

    Parameters
    ----------
    model
        Its own weights alone; not those of the previous model of a cascade.
    mirror
        Average over all flips along the axes that the model may be mirrored along.

    Returns
    -------
    Module
        Takes float32 ``(tile, channel, slice, row, column)``, also of a 2-D model, and gives
        logits ``(tile, class, slice, row, column)``, the mean over the model's files of weights.

    Raises
    ------
    ModelError
        If a file is missing, truncated, altered since it was described, or of other shapes than
        the network.
    """
    from delineate.segmentation.wrappers import Mean, Mirrored, Slicewise

    members = [_filled(model, file) for file in model.weights]
    network = members[0] if len(members) == 1 else Mean(members)
    if model.dimensions == 2:
        network = Slicewise(network)
    if mirror and model.mirror:
        network = Mirrored(network, model.mirror)
    return network.eval()


def verify_weights(model: Model) -> None:
    """See that the files of weights are those that the model describes.

    Raises
    ------
    ModelError
        If one is missing, truncated or was changed.
    """
    for file in model.weights:
        _content(model, file)


def _content(model: Model, file: WeightsFile) -> bytes:
    path = model.folder / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the weights of model {model.name} cannot be read: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise ModelError(
            f"{path} has sha256 {found[:12]}..., its description says {file.sha256[:12]}...: "
            "the file is truncated or was changed; install it again"
        )
    return content


def _filled(model: Model, file: WeightsFile) -> nn.Module:
    import safetensors.torch

    path, content = model.folder / file.name, _content(model, file)
    network = build_network(model.network, model.arguments)
    if path.suffix == ".xz":
        content = _unpacked(content, path, network)
    try:
        network.load_state_dict(safetensors.torch.load(content))
    except (safetensors.SafetensorError, RuntimeError, KeyError) as error:
        first = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{path} does not fit network {model.network} of model {model.name}: {first}"
        ) from error
    return network.eval().requires_grad_(requires_grad=False)


def _unpacked(content: bytes, path: Path, network: nn.Module) -> bytes:
    """What xz packed, no more than the network can hold: a small file may unpack to anything."""
    most = _HEADER_BYTES + 8 * sum(one.numel() for one in network.state_dict().values())
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_BYTES)
    try:
        plain = unpacker.decompress(content, most)
    except lzma.LZMAError as error:
        raise ModelError(f"{path} is no xz file of weights: {error}; install it again") from error
    if not unpacker.eof:
        raise ModelError(f"{path} does not end where weights of this network do; install it again")
    return plain
