"""The network that a run begins with: new, or with the weights of another model."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from delineate.segmentation.model import Model
from delineate.segmentation.networks import build_network
from delineate.segmentation.training.trainer import fresh_network
from delineate.segmentation.weights import load_network

__all__ = ["first_network"]


def first_network(model: Model, base: Model | None, seed: int) -> tuple[nn.Module, str]:
    """Build a network, with the weights of another model if there is one.

    Parameters
    ----------
    model
        Whose network it is.
    base
        Of the same network, maybe with other labels: then what depends on the number of labels is
        made anew, also where the number is the same by chance. Of an ensemble the first is taken.
    seed
        Of what is made anew.

    Returns
    -------
    network
        To go on from.
    kept
        A sentence on what was taken over; empty without ``base``.
    """
    network = fresh_network(model.network, dict(model.arguments), seed)
    if base is None:
        return network, ""
    source = load_network(replace(base, weights=base.weights[:1]))
    inner = source.network if base.dimensions == 2 else source
    state = inner.state_dict()  # type: ignore[union-attr]
    names = [[each.category.name for each in one.structures] for one in (base, model)]
    head = set() if names[0] == names[1] else _head(model)
    kept = {name: value for name, value in state.items() if name not in head}
    network.load_state_dict({**network.state_dict(), **kept})
    said = f"It began with the weights of model {base.name}, version {base.version}: "
    said += (
        "all of them, since the labels are the same."
        if not head
        else f"{len(kept)} of {len(state)} tensors; {len(head)} that depend on the labels were "
        "made anew."
    )
    return network, said


def _head(model: Model) -> set[str]:
    """Names of the tensors whose shape depends on the number of labels."""
    shapes = []
    for more in (0, 1):
        arguments = {**model.arguments, "out_channels": model.classes + more}
        with torch.device("meta"):
            network = build_network(model.network, arguments)
        shapes.append({name: value.shape for name, value in network.state_dict().items()})
    return {name for name in shapes[0] if shapes[0][name] != shapes[1][name]}
