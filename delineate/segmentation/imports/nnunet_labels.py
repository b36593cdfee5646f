"""Labels and regions of nnU-Net's ``dataset.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from delineate.errors import ModelError
from delineate.segmentation.model import Activation

__all__ = ["Labels", "read_labels"]


@dataclass(frozen=True, slots=True)
class Labels:
    """What a network's outputs stand for.

    Parameters
    ----------
    names
        Of labels 1, 2, 3 ...
    activation
        ``"sigmoid"`` for regions, else ``"softmax"``.
    outputs
        Of regions: the label that each output gives, later ones overruling earlier ones.
    """

    names: tuple[str, ...]
    activation: Activation
    outputs: tuple[int, ...] = ()


def read_labels(dataset: Mapping[str, Any]) -> Labels:
    """Read ``labels`` and ``regions_class_order``; the ignore label is dropped.

    A region's label has the region's name, though later regions overrule parts of it.

    Raises
    ------
    ModelError
        If labels have gaps, no background, or regions without an order.
    """
    table = dataset.get("labels")
    if not isinstance(table, Mapping) or table.get("background") != 0:
        raise ModelError(f"dataset.json: expected labels with background 0, got {table!r}")
    values = {str(name): value for name, value in table.items() if name != "ignore"}
    if any(isinstance(value, list) and len(value) > 1 for value in values.values()):
        return _regions(values, dataset.get("regions_class_order"))
    numbers = {name: _one(name, value) for name, value in values.items()}
    names = sorted(numbers, key=numbers.__getitem__)
    if [numbers[name] for name in names] != list(range(len(names))):
        raise ModelError(f"dataset.json: expected labels 0, 1, 2 ... without gaps, got {numbers}")
    return Labels(tuple(names[1:]), "softmax")


def _regions(values: Mapping[str, Any], order: Any) -> Labels:
    regions = [name for name, value in values.items() if value not in (0, [0])]
    if (
        not isinstance(order, list)
        or len(order) != len(regions)
        or not all(isinstance(each, int) and each > 0 for each in order)
    ):
        raise ModelError(
            f"dataset.json: expected regions_class_order with {len(regions)} labels for the "
            f"regions {', '.join(regions)}, got {order!r}"
        )
    labels = sorted(set(order))
    names = dict(zip(order, regions, strict=True))
    return Labels(
        tuple(names[label] for label in labels),
        "sigmoid",
        tuple(labels.index(label) + 1 for label in order),
    )


def _one(name: str, value: Any) -> int:
    number = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise ModelError(f"dataset.json: expected a whole number for label {name}, got {value!r}")
    return number
