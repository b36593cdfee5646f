"""Result folders of nnU-Net v2, TotalSegmentator's among them.

Read are ``plans.json``, ``dataset.json`` and ``fold_x/checkpoint_final.pth``; nnU-Net itself is
not needed, and classes that plans name are compared with tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.errors import ModelError
from delineate.segmentation.imports.naming import model_name, structures
from delineate.segmentation.imports.nnunet_labels import Labels, read_labels
from delineate.segmentation.imports.nnunet_plans import Plans, read_plans
from delineate.segmentation.imports.settings import Settings, refuse_unknown
from delineate.segmentation.imports.source import Files, below, opened, read_json
from delineate.segmentation.model import Model, Tiles
from delineate.segmentation.model_file import UNWRITTEN, write_model

if TYPE_CHECKING:
    import torch

__all__ = ["SETTINGS", "import_folder", "roots_of"]

SETTINGS = (
    *("name", "title", "licence", "intended_use", "modality"),
    *("orientation", "configuration", "folds", "checkpoint", "previous", "mask"),
)

_FOLD = re.compile(r"fold_(\d{1,3}|all)/(.+)")
_UNSTATED = "not stated"


def roots_of(files: Files) -> list[str]:
    """The folders among the files that hold a trained configuration; ``""`` is all of them."""
    folders = {name.rpartition("/")[0] for name in files if name.rpartition("/")[2] == "plans.json"}
    return sorted(
        folder
        for folder in folders
        if any(_FOLD.fullmatch(name) for name in below(files, folder))
        and "dataset.json" in below(files, folder)
    )


def import_folder(path: Path, folder: Path, *, settings: Settings) -> Model:
    """Write a result folder of nnU-Net as a model folder; a cascade with the model before it.

    Parameters
    ----------
    path
        A folder such as ``nnUNetTrainer__nnUNetPlans__3d_fullres``, one above it, or a zip.
    folder
        Where the model folder is written.
    settings
        Values by hand, see `SETTINGS`: ``configuration`` chooses one of several, ``folds`` some
        of those that are there, ``checkpoint`` another file than ``checkpoint_final.pth``,
        ``previous`` the lower stage of a cascade if it does not lie beside; ``orientation`` says
        how the arrays that it was trained with lie, and ``mask=nonzero`` accepts samples that are
        not 0 as the mask of normalisation.

    Raises
    ------
    ModelError
        If something that matters is not understood or does not fit.
    UploadError
        If the zip is hostile or damaged.
    """
    refuse_unknown(settings, SETTINGS)
    with opened(path) as files:
        root = _root(files, path, settings)
        return _import(_Source(path, files, root), folder, settings)


@dataclass(frozen=True, slots=True)
class _Source:
    """One trained configuration among the files of what was given."""

    path: Path
    files: Files
    root: str

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.root.rpartition("/")[2] or self.path.name.removesuffix(".zip")


def _root(files: Files, path: Path, settings: Settings) -> str:
    roots = roots_of(files)
    wanted = settings.get("configuration")
    if wanted is not None:
        roots = [
            root for root in roots if _configuration(_Source(path, files, root).name) == wanted
        ]
    if len(roots) == 1:
        return roots[0]
    stages = [root for root in roots if _configuration(root) == "3d_cascade_fullres"]
    if len(roots) == 2 and len(stages) == 1 and wanted is None:  # its other half lies beside it
        return stages[0]
    if not roots:
        raise ModelError(
            f"{path} is no result folder of nnU-Net v2; expected plans.json, dataset.json and "
            "fold_0/checkpoint_final.pth in one folder"
        )
    names = ", ".join(root or "." for root in roots)
    raise ModelError(
        f"expected one trained configuration, found {names}; choose one: "
        "--set configuration=3d_fullres"
    )


def _configuration(folder: str) -> str:
    """``3d_fullres`` of ``nnUNetTrainer__nnUNetPlans__3d_fullres``."""
    return folder.rpartition("/")[2].rpartition("__")[2]


def _import(source: _Source, folder: Path, settings: Settings) -> Model:
    files = below(source.files, source.root)
    dataset = read_json(files, "dataset.json")
    checkpoints = _checkpoints(files, settings)
    first = checkpoints[0].content
    configuration = str(first["init_args"]["configuration"])
    plans = read_plans(read_json(files, "plans.json"), dataset, configuration, settings)
    model = _described(plans, read_labels(dataset), dataset, first, folder, source.name, settings)
    if plans.previous is not None:
        model = replace(model, previous=_previous(source, plans.previous, folder, settings))
    ends = {"input_channels": model.channels, "num_classes": model.classes}
    model = replace(model, arguments={**model.arguments, **ends})
    return write_model(model, [each.fitted(model) for each in checkpoints])


class _Checkpoint:
    """One fold's file, read."""

    def __init__(self, name: str, path: Path) -> None:
        from delineate.segmentation.imports.checkpoint import read_checkpoint

        self.name = name
        content = read_checkpoint(path)
        arguments = content.get("init_args") if isinstance(content, Mapping) else None
        if not isinstance(arguments, Mapping) or "configuration" not in arguments:
            raise ModelError(f"{name} is no checkpoint of nnU-Net v2: it has no init_args")
        self.content: Mapping[str, Any] = content

    def fitted(self, model: Model) -> dict[str, torch.Tensor]:
        """The weights by the names that they have here."""
        from delineate.segmentation.imports.checkpoint import fitted, weights_of
        from delineate.segmentation.nnunet_networks import single_names

        state = weights_of({"network_weights": self.content.get("network_weights")}, self.name)
        try:
            plain = single_names(state)
        except (ValueError, IndexError) as error:
            raise ModelError(f"{self.name}: {error}") from error
        return fitted(model.network, model.arguments, plain, self.name)


def _checkpoints(files: Files, settings: Settings) -> list[_Checkpoint]:
    """Of every fold that is there, or was chosen; ``fold_all`` only where there is no other."""
    file = str(settings.get("checkpoint", "checkpoint_final.pth"))
    found = {
        match[1]: name for name in files if (match := _FOLD.fullmatch(name)) and match[2] == file
    }
    folds = sorted(found, key=lambda fold: (fold == "all", fold.zfill(3)))
    if len(folds) > 1 and "all" in folds:
        folds.remove("all")
    if "folds" in settings:
        wanted = settings["folds"]
        folds = [str(each) for each in (wanted if isinstance(wanted, list) else [wanted])]
    absent = [fold for fold in folds if fold not in found]
    if absent or not folds:
        raise ModelError(
            f"there is no {file} of fold {', '.join(absent) or '0'}; found "
            f"{', '.join(sorted(found)) or 'no fold'}"
        )
    read = [_Checkpoint(found[fold], files[found[fold]]) for fold in folds]
    if len({str(each.content["init_args"]["configuration"]) for each in read}) != 1:
        raise ModelError("the folds are of different configurations; give folds of one")
    return read


def _previous(source: _Source, configuration: str, folder: Path, settings: Settings) -> Model:
    """The lower stage of a cascade, written into the subfolder ``previous``."""
    shared = {key: settings[key] for key in ("orientation", "mask", "licence") if key in settings}
    below_here = folder / "previous"
    if "previous" in settings:
        given = Path(str(settings["previous"]))
        return import_folder(given, below_here, settings=shared)
    if source.root:
        parent = source.root.rpartition("/")[0]
        found = [_Source(source.path, source.files, root) for root in roots_of(source.files)]
        beside = [
            each
            for each in found
            if each.root.rpartition("/")[0] == parent and _configuration(each.name) == configuration
        ]
        if len(beside) == 1:
            return _import(beside[0], below_here, shared)
    else:
        on_disk = [
            each
            for each in sorted(source.path.absolute().parent.iterdir())
            if each.is_dir() and _configuration(each.name) == configuration
        ]
        if len(on_disk) == 1:
            return import_folder(on_disk[0], below_here, settings=shared)
    raise ModelError(
        f"this is the upper stage of a cascade; its lower stage {configuration} was not found "
        "beside it: give the folder that holds both, or --set previous=FOLDER"
    )


def _described(
    plans: Plans,
    labels: Labels,
    dataset: Mapping[str, Any],
    checkpoint: Mapping[str, Any],
    folder: Path,
    named: str,
    settings: Settings,
) -> Model:
    named = plans.dataset or named
    title = str(settings.get("title", dataset.get("description") or named))
    try:
        return Model(
            folder=folder,
            name=str(settings.get("name") or model_name(f"{named} {plans.configuration}")),
            version=str(dataset.get("release", "1")),
            title=title,
            licence=str(
                settings.get("licence", dataset.get("licence", dataset.get("license", _UNSTATED)))
            ),
            intended_use=str(settings.get("intended_use", _UNSTATED)),
            source=_source(dataset, plans, checkpoint),
            modality=str(settings.get("modality", plans.modality)),
            dimensions=plans.dimensions,
            network=plans.network,
            arguments=plans.arguments,
            weights=UNWRITTEN,
            sampling=plans.sampling,
            tiles=Tiles(
                shape=plans.patch,
                overlap=0.5,
                placement="even",
                weight="nnunet",
                padding="zero",
            ),
            inputs=tuple(enumerate(plans.steps)),
            activation=labels.activation,
            structures=structures(labels.names),
            outputs=labels.outputs,
            mirror=_mirror(checkpoint, plans.dimensions),
            training={
                "imported": {
                    "kind": "nnunet",
                    "trainer": str(checkpoint.get("trainer_name", "")),
                    "configuration": plans.configuration,
                    "settings": {key: str(value) for key, value in settings.items()},
                }
            },
        )
    except (ValueError, TypeError) as error:
        raise ModelError(f"the folder cannot be a model folder: {error}") from error


def _mirror(checkpoint: Mapping[str, Any], dimensions: int) -> tuple[int, ...]:
    axes = checkpoint.get("inference_allowed_mirroring_axes") or ()
    if not isinstance(axes, Sequence) or not all(
        isinstance(axis, int) and 0 <= axis < dimensions for axis in axes
    ):
        raise ModelError(f"expected axes to mirror along, got {axes!r}")
    return tuple(int(axis) + 3 - dimensions for axis in axes)


def _source(dataset: Mapping[str, Any], plans: Plans, checkpoint: Mapping[str, Any]) -> str:
    parts = [
        f"nnU-Net v2, {plans.dataset}, {checkpoint.get('trainer_name', '')}, {plans.configuration}"
    ]
    parts += [str(dataset[key]) for key in ("reference",) if dataset.get(key)]
    return "; ".join(parts)
