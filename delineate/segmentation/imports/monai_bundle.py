"""Bundles as MONAI's model zoo publishes them.

Read are ``configs/inference.json`` (or YAML), ``configs/metadata.json`` and ``models/model.pt``;
the bundle's code, its expressions and its TorchScript are not.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from delineate.errors import ModelError, OptionError
from delineate.segmentation.imports.monai_config import CONFIGS, Config, bare_name, read_config
from delineate.segmentation.imports.monai_network import (
    count,
    read_network,
    without_supervision,
)
from delineate.segmentation.imports.monai_transforms import After, Before, read_after, read_before
from delineate.segmentation.imports.naming import model_name, structures
from delineate.segmentation.imports.settings import Settings, chosen
from delineate.segmentation.imports.source import Files, below, opened, read_json
from delineate.segmentation.model import Activation, Model, Sampling, Tiles
from delineate.segmentation.model_file import UNWRITTEN, write_model

__all__ = ["SETTINGS", "import_bundle", "root_of"]

METADATA = "configs/metadata.json"
SETTINGS = (
    *("name", "title", "licence", "intended_use", "modality"),
    *("labels", "orientation", "activation", "weights"),
)
"""Settings that are no keys of the bundle's configuration."""

_INFERERS = ("SlidingWindowInferer", "SlidingWindowInfererAdapt")
_PADDING: dict[str, Literal["zero", "edge"]] = {"constant": "zero", "replicate": "edge"}
_UNSTATED = "not stated"


def root_of(files: Files) -> str | None:
    """The folder among the files that is a bundle, ``""`` for all of them; None if there is none.

    Raises
    ------
    ModelError
        If there are several.
    """
    marks = (METADATA, *CONFIGS)
    roots = {
        name.removesuffix(mark).rstrip("/")
        for name in files
        for mark in marks
        if name == mark or name.endswith(f"/{mark}")
    }
    if len(roots) > 1:
        raise ModelError(f"expected one bundle, found {', '.join(sorted(roots))}; give one alone")
    return next(iter(roots), None)


def import_bundle(path: Path, folder: Path, *, settings: Settings) -> Model:
    """Write a MONAI bundle as a model folder.

    Parameters
    ----------
    path
        The bundle, a folder or a zip.
    folder
        Where the model folder is written.
    settings
        Values by hand: those of `SETTINGS`, or keys of the bundle's configuration, such as
        ``pixdim`` or ``network_def#out_channels``.

    Raises
    ------
    ModelError
        If something that matters is not understood, is an expression, or does not fit.
    UploadError
        If the zip is hostile or damaged.
    """
    from delineate.segmentation.imports.checkpoint import fitted, read_checkpoint, weights_of

    with opened(path) as everything:
        root = root_of(everything)
        if root is None:
            raise ModelError(f"{path} is no MONAI bundle: there is no {METADATA}")
        files = below(everything, root)
        named = root.rpartition("/")[2] or path.stem
        try:
            model = _described(files, folder, named, settings)
        except (ModelError, OptionError):
            raise
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise ModelError(f"the bundle cannot be a model folder: {error}") from error
        name = f"models/{settings.get('weights', 'model.pt')}"
        if name not in files:
            raise ModelError(
                f"the bundle has no {name}; it has {_weights(files)} (--set weights=NAME.pt; "
                "TorchScript, .ts, is code and not read)"
            )
        state = without_supervision(model.network, weights_of(read_checkpoint(files[name]), name))
        return write_model(model, [fitted(model.network, model.arguments, state, name)])


def _weights(files: Files) -> str:
    return ", ".join(sorted(n for n in files if n.startswith("models/"))) or "no weights at all"


def _described(files: Files, folder: Path, named: str, settings: Settings) -> Model:
    metadata = read_json(files, METADATA) if METADATA in files else {}
    overrides = {key: value for key, value in settings.items() if key not in SETTINGS}
    config = Config(copy.deepcopy(read_config(files)), overrides)
    network, arguments = read_network(config)
    before = read_before(config, count(arguments, "in_channels"))
    after = _after(config, settings)
    image, labels = _format(metadata, settings)
    names = _labels(labels, settings, arguments, after.activation)
    return Model(
        folder=folder,
        name=str(settings.get("name") or model_name(named)),
        version=str(metadata.get("version", "1")),
        title=str(settings.get("title", metadata.get("name") or metadata.get("task") or named)),
        licence=str(settings.get("licence", _licence(files, metadata))),
        intended_use=str(settings.get("intended_use", metadata.get("intended_use", _UNSTATED))),
        source=_source(named, metadata),
        modality=_modality(settings.get("modality", image.get("modality", ""))),
        network=network,
        arguments=arguments,
        weights=UNWRITTEN,
        sampling=_sampling(before, settings),
        tiles=_tiles(config),
        inputs=tuple((channel, tuple(steps)) for channel, steps in enumerate(before.steps)),
        activation=cast("Activation", after.activation),
        structures=structures(names, after.single),
        metrics=_mapping(metadata.get("eval_metrics")),
        training={
            "imported": {
                "kind": "monai-bundle",
                "settings": {key: str(value) for key, value in settings.items()},
            }
        },
    )


def _after(config: Config, settings: Settings) -> After:
    if "activation" in settings:
        return After(chosen(settings, "activation", ("softmax", "sigmoid"), "softmax"))
    return read_after(config)


def _format(metadata: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], Any]:
    """What the metadata say about the image, and about the channels of the answer."""
    data = _mapping(metadata.get("network_data_format"))
    inputs, outputs = _mapping(data.get("inputs")), _mapping(data.get("outputs"))
    image = _mapping(inputs.get("image") or next(iter(inputs.values()), None))
    pred = _mapping(outputs.get("pred") or next(iter(outputs.values()), None))
    return image, settings.get("labels", pred.get("channel_def"))


def _labels(
    labels: Any, settings: Settings, arguments: Mapping[str, Any], activation: str
) -> list[str]:
    """Names of the labels, background left out."""
    outputs = count(arguments, "out_channels")
    first = 1 if activation == "softmax" else 0
    if "labels" in settings:
        names = labels if isinstance(labels, list) else [labels]
    else:
        table = _mapping(labels)
        names = [table.get(str(number)) for number in range(first, outputs)]
        if len(table) != outputs or None in names:
            names = []
    if len(names) != outputs - first:
        raise ModelError(
            f"expected names for {outputs - first} labels (the network has {outputs} outputs), "
            f"got {labels!r}; give them without the background: --set labels=NAME,NAME,..."
        )
    return [str(name).strip() for name in names]


def _sampling(before: Before, settings: Settings) -> Sampling:
    orientation = str(settings.get("orientation", before.orientation))
    if not orientation:
        raise ModelError(
            "the bundle does not bring images to one orientation (it has no Orientationd), so it "
            "was made for files that are all stored alike; say how the axes of their arrays grow, "
            "first axis first: --set orientation=RAS (or LPS ...)"
        )
    return Sampling(
        orientation=orientation,
        spacing_mm=before.spacing_mm or (None, None, None),
        fit="first",
        method="linear",
        normalise="before" if before.normalise == "before" else "after",
    )


def _tiles(config: Config) -> Tiles:
    name = bare_name(config.plain("inferer#_target_"), "inferer")
    if name not in _INFERERS:
        raise ModelError(
            f"inferer is {name}, expected {_INFERERS[0]}; give it: --set "
            f'\'inferer={{"_target_": "{_INFERERS[0]}", "roi_size": [96, 96, 96]}}\''
        )
    size = config.plain("inferer#roi_size")
    sizes = size if isinstance(size, list) else [size] * 3
    overlap = config.plain("inferer#overlap") if config.has("inferer#overlap") else 0.25
    if isinstance(overlap, list):
        if len(set(overlap)) != 1:
            raise ModelError(f"inferer#overlap is {overlap}, expected the same along each axis")
        overlap = overlap[0]
    found = {"mode": "constant", "padding_mode": "constant", "cval": 0.0, "sigma_scale": 0.125}
    for key in found:
        if config.has(f"inferer#{key}"):
            found[key] = config.plain(f"inferer#{key}")
    if found["cval"] != 0 or found["sigma_scale"] != 0.125:
        raise ModelError(f"inferer has {found}, expected cval 0 and sigma_scale 0.125")
    if found["mode"] not in ("constant", "gaussian") or found["padding_mode"] not in _PADDING:
        raise ModelError(f"inferer has {found}, which is not understood")
    if len(sizes) != 3 or not all(isinstance(each, int) and each > 0 for each in sizes):
        raise ModelError(f"inferer#roi_size is {size}, expected three sizes in samples")
    return Tiles(
        shape=(sizes[0], sizes[1], sizes[2]),
        overlap=float(overlap),
        placement="flush",
        weight="gaussian" if found["mode"] == "gaussian" else "constant",
        padding=_PADDING[str(found["padding_mode"])],
    )


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _modality(text: Any) -> str:
    word = str(text).upper()
    return {"MRI": "MR"}.get(word, word if word in ("CT", "MR", "PT", "US") else "")


def _licence(files: Files, metadata: Mapping[str, Any]) -> str:
    if "license" in metadata or "licence" in metadata:
        return str(metadata.get("license", metadata.get("licence")))
    for name in ("LICENSE", "docs/LICENSE", "LICENSE.txt"):
        if name in files and b"Apache License" in files[name].read_bytes()[:400]:
            return "Apache-2.0 (as the bundle's LICENSE says)"
    return _UNSTATED


def _source(named: str, metadata: Mapping[str, Any]) -> str:
    parts = [f"MONAI bundle {named} {metadata.get('version', '')}".strip()]
    parts += [str(metadata[key]) for key in ("authors", "data_source") if metadata.get(key)]
    references = metadata.get("references")
    parts += [str(each) for each in references] if isinstance(references, list) else []
    return "; ".join(parts)
