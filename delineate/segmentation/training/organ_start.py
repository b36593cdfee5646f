"""Begin with the weights of an organ model that knows other structures, or fewer."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from delineate.errors import ModelError
from delineate.phantom import STRUCTURES
from delineate.segmentation.model import Model
from delineate.segmentation.weights import load_network

__all__ = ["taken_over"]

_PARENTS = {"vertebrae": "bones"}
"""What a structure was a part of before it had a label of its own."""


def taken_over(model: Model, fresh: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of a model for a network with one output for each of `STRUCTURES`.

    Parameters
    ----------
    model
        Of the same network but for its outputs.
    fresh
        The state of the network that is to begin. An output whose structure the model does not
        know begins as that of what it was a part of, or as it is here.

    Raises
    ------
    ModelError
        If the networks differ in more than their outputs.
    """
    known = ("background", *(each.category.name for each in model.structures))
    sources = [_place(name, known) for name in STRUCTURES]
    begun: dict[str, torch.Tensor] = {}
    for name, value in load_network(model).state_dict().items():
        target = fresh.get(name)
        if target is not None and target.shape != value.shape == (len(known), *target.shape[1:]):
            rows = [value[a] if a is not None else target[b] for b, a in enumerate(sources)]
            value = torch.stack(rows)
        if target is None or target.shape != value.shape:
            here = "missing" if target is None else tuple(target.shape)
            raise ModelError(
                f"the network of {model.name} cannot begin this one: {name} is "
                f"{tuple(value.shape)} there and {here} here"
            )
        begun[name] = value
    return begun


def _place(name: str, known: tuple[str, ...]) -> int | None:
    for each in (name, _PARENTS.get(name)):
        if each in known:
            return known.index(each)
    return None
