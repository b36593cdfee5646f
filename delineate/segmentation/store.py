"""Models that are installed: folders under ``DELINEATE_MODELS``, or the user's data folder."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from delineate.errors import ConflictError, ModelError, NotFoundError
from delineate.segmentation.imports import monai_bundle, nnunet
from delineate.segmentation.imports.naming import checked_name
from delineate.segmentation.imports.settings import Settings, refuse_unknown
from delineate.segmentation.imports.source import Files, below, opened
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import DESCRIPTION, read_model
from delineate.segmentation.scratch import scratch_folder

if TYPE_CHECKING:
    import torch

__all__ = [
    "Checked",
    "Installed",
    "add",
    "check",
    "find_model",
    "installed_models",
    "models_folder",
    "remove",
]

SHIPPED = Path(__file__).parent / "models"
VARIABLE = "DELINEATE_MODELS"
_SMALL = 64
_NONE: Settings = MappingProxyType({})
_SUFFIXES = frozenset({".json", ".safetensors", ".xz", ".md", ".png", ".csv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One folder of the store.

    Parameters
    ----------
    name
        Of the folder; the model goes by it.
    model
        What it declares; ``None`` if it cannot be read.
    problem
        Why not.
    shipped
        Whether it came with this package; such a one cannot be removed.
    """

    name: str
    folder: Path
    model: Model | None = None
    problem: str = ""
    shipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found good: bytes of weights, and the tile that was run in so many seconds."""

    name: str
    weights_bytes: int
    tile: tuple[int, int, int]
    seconds: float


def models_folder() -> Path:
    """Where models are installed; it need not exist yet."""
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "delineate" / "models"


def installed_models() -> tuple[Installed, ...]:
    """All models by name, those that came with this package among them.

    A folder that cannot be read is there with its problem, and hides no other.
    """
    found: dict[str, Installed] = {}
    for root, shipped in ((SHIPPED, True), (models_folder(), False)):
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if folder.is_dir() and not folder.name.startswith((".", "_")):
                name = folder.name.replace("_", "-") if shipped else folder.name
                found[name] = _installed(name, folder, shipped)
    return tuple(found[name] for name in sorted(found))


def _installed(name: str, folder: Path, shipped: bool) -> Installed:
    try:
        model = read_model(folder)
    except ModelError as error:
        return Installed(name=name, folder=folder, problem=str(error), shipped=shipped)
    return Installed(name=name, folder=folder, model=model, shipped=shipped)


def find_model(name: str) -> Model:
    """An installed model.

    Raises
    ------
    NotFoundError
        If there is none of that name; the message has those that are there.
    ModelError
        If it cannot be read.
    """
    found = _find(name)
    if found.model is None:
        raise ModelError(found.problem)
    return found.model


def _find(name: str) -> Installed:
    models = {each.name: each for each in installed_models()}
    # A detector's id is taken for its model's name: models.spleen, organs.ct.
    plain = name.removeprefix("models.")
    found = models.get(plain) or models.get(plain.replace(".", "-"))
    if found is None:
        raise NotFoundError(
            f"no model {name!r} is installed; there are {', '.join(models)} (others are installed "
            f"in {models_folder()})"
        )
    return found


def add(path: Path, name: str | None = None, settings: Settings = _NONE) -> Model:
    """Install a model: a model folder, a MONAI bundle or a result folder of nnU-Net; or its zip.

    It is written beside its place and renamed, so that it is there whole or not at all.

    Parameters
    ----------
    path
        Nothing in it is run, whoever made it.
    name
        To install it by; by default its own.
    settings
        Values by hand for importers, see `monai_bundle.import_bundle` and `nnunet.import_folder`.

    Raises
    ------
    ModelError
        If it is no model, is broken, or says what is not understood.
    UploadError
        If it is a zip that is hostile or damaged.
    ConflictError
        If a model of that name is installed.
    """
    if name is not None:
        settings = {**settings, "name": checked_name(name)}
    with scratch_folder(models_folder()) as scratch:
        model = _importer(path)(path, scratch / "model", settings=settings)
        target = models_folder() / checked_name(model.name)
        if any(
            each.shipped and each.name == target.name.replace(".", "-")
            for each in installed_models()
        ):
            raise ConflictError(
                f"{target.name} is the name of a model that came with delineate; give another "
                "(--name)"
            )
        for stage in _stages(model):
            _demand_tile(stage, _network(stage))
        try:
            if target.exists() or target.is_symlink():
                raise FileExistsError
            (scratch / "model").rename(target)
        except OSError as error:
            # A folder that another has just renamed to it is full: ENOTEMPTY has no class.
            if not isinstance(error, FileExistsError) and error.errno != errno.ENOTEMPTY:
                raise
            raise ConflictError(
                f"a model {model.name} is installed; remove it first, or give another name (--name)"
            ) from error
    return read_model(target)


def _importer(path: Path) -> Callable[..., Model]:
    with opened(path) as files:
        if _model_root(files) is not None:
            return _copy
        if monai_bundle.root_of(files) is not None:
            return monai_bundle.import_bundle
        if nnunet.roots_of(files):
            return nnunet.import_folder
    raise ModelError(
        f"{path} is no model: expected a model folder ({DESCRIPTION}), a MONAI bundle "
        "(configs/metadata.json, models/model.pt) or a result folder of nnU-Net v2 (plans.json, "
        "dataset.json, fold_0/checkpoint_final.pth), each also as a zip"
    )


def _model_root(files: Files) -> str | None:
    """The folder of a model of ours: the files themselves, or the one folder that they are in."""
    roots: list[str] = [""]
    folders = {name.partition("/")[0] for name in files if "/" in name}
    if len(folders) == 1:
        roots += folders
    return next((root for root in roots if DESCRIPTION in below(files, root)), None)


def _copy(path: Path, folder: Path, *, settings: Settings) -> Model:
    """Copy a model folder: description, weights, and what people read; nothing else."""
    refuse_unknown(settings, ("name",))
    with opened(path) as everything:
        for name, file in below(everything, _model_root(everything) or "").items():
            parts = name.split("/")
            plain = all(part and not part.startswith(".") for part in parts)
            if plain and len(parts) <= 4 and Path(name).suffix in _SUFFIXES:
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
    if "name" in settings:
        description = folder / DESCRIPTION
        content = json.loads(description.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            content["name"] = settings["name"]
        description.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    model = read_model(folder)
    for each in _stages(model):
        _network(each)
    return model


def remove(name: str) -> None:
    """Delete an installed model.

    Raises
    ------
    NotFoundError
        If there is none.
    ConflictError
        If it came with this package.
    """
    found = _find(name)
    if found.shipped:
        raise ConflictError(f"the model {name} came with delineate and stays")
    if found.folder.is_symlink():
        found.folder.unlink()
        return
    with scratch_folder(models_folder()) as scratch:  # out of sight at once, then deleted
        found.folder.rename(scratch / "removed")


def check(name: str) -> tuple[Checked, ...]:
    """Check the hashes of an installed model's weights, load them, and run one small tile.

    Returns
    -------
    tuple of Checked
        The model, after the models before it in a cascade.

    Raises
    ------
    NotFoundError
        If there is none.
    ModelError
        If anything is not as declared.
    """
    return tuple(_checked(each) for each in _stages(find_model(name)))


def _stages(model: Model) -> Iterator[Model]:
    if model.previous is not None:
        yield from _stages(model.previous)
    yield model


def _network(model: Model) -> torch.nn.Module:
    from delineate.segmentation.weights import load_network

    return load_network(model)


def _checked(model: Model) -> Checked:
    import time

    import torch

    network = _network(model)
    _demand_tile(model, network)
    shape = model.tiles.shape
    small = (min(shape[0], _SMALL), min(shape[1], _SMALL), min(shape[2], _SMALL))
    start = time.perf_counter()
    try:
        tile, logits = small, _logits(network, model, small)
    except Exception:  # some networks take no tile but their own
        try:
            tile, logits = shape, _logits(network, model, shape)
        except Exception as error:  # whatever layers raise about shapes
            raise ModelError(f"model {model.name} does not run on a tile: {error}") from error
    expected = (1, model.classes, *tile)
    if tuple(logits.shape) != expected or not bool(torch.isfinite(logits).all()):
        raise ModelError(
            f"model {model.name} gives {tuple(logits.shape)}, expected {expected}, all finite"
        )
    return Checked(
        name=model.name,
        weights_bytes=sum((model.folder / file.name).stat().st_size for file in model.weights),
        tile=tile,
        seconds=time.perf_counter() - start,
    )


def _demand_tile(model: Model, network: torch.nn.Module) -> None:
    """Refuse a model whose network does not take the tiles that it describes."""
    from delineate.segmentation.demands import demands

    try:
        demands(network, (model.channels, *model.tiles.shape))
    except ModelError as error:
        raise ModelError(
            f"the network of model {model.name} does not take its own tiles of "
            f"{' x '.join(map(str, model.tiles.shape))}: {error}"
        ) from error


def _logits(network: torch.nn.Module, model: Model, tile: tuple[int, int, int]) -> torch.Tensor:
    import torch

    with torch.inference_mode():
        logits: torch.Tensor = network(torch.zeros(1, model.channels, *tile))
    return logits


def described(installed: Installed) -> Mapping[str, Any]:
    """A model for machines: what its description says, where it lies, and any problem."""
    content: dict[str, Any] = {}
    if installed.model is not None:
        content = json.loads((installed.folder / DESCRIPTION).read_text(encoding="utf-8"))
    return {
        **content,
        "name": installed.name,
        "folder": str(installed.folder),
        "shipped": installed.shipped,
        "problem": installed.problem,
    }
