"""Generated samples: of no patient and of no farm."""

from __future__ import annotations

from delineate.viewers.napari.layers import LayerData, image_layer, label_layer

__all__ = ["torso_layers", "trap_layers"]

_SEED = 7


def torso_layers() -> list[LayerData]:
    """A CT of a generated trunk and the organs that it was made of."""
    from delineate.phantom import torso

    image, organs = torso(_SEED, spacing_mm=(4.0, 1.8, 1.8), extent_mm=(-330.0, 200.0))
    return [image_layer(image, "torso"), label_layer(organs, image, "true organs")]


def trap_layers() -> list[LayerData]:
    """A photograph of a generated sticky trap."""
    from delineate.phantom.traps import trap

    return [image_layer(trap(_SEED).image, "trap")]
