"""Find the files of cases in the folders that programs and data sets keep them in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from delineate.errors import InputError
from delineate.evaluation.case import Table
from delineate.evaluation.label_tables import read_table
from delineate.evaluation.results import is_result
from delineate.formats.sniff import kind_of

__all__ = ["ONE", "Found", "find", "find_images", "image_name"]

_ENDING = re.compile(
    r"(\.seg)?\.(nii(\.gz)?|nrrd|nhdr|mha|mhd)$|\.svg\.zip$|\.(dcm|geojson|json|zip|png|jpe?g|tiff?)$",
    re.IGNORECASE,
)
ONE = "one case"
_CHANNEL = re.compile(r"_(\d{4})$")
_TABLE = "dataset.json"
_BIDS = re.compile(r"^sub-[^_]+.*_dseg$")
# What derivatives add to the name of the image that they were made of.
_DERIVED = re.compile(r"_(space|res|den|label|desc|seg|atlas)-[^_]+")
_ASIDE = (_TABLE, "plans.json", "exports.json", "summary.json", "dataset_fingerprint.json")


@dataclass(frozen=True, slots=True)
class Found:
    """Files by case.

    Parameters
    ----------
    paths
        A file or a folder for each case, in the order of their names.
    tables
        Labels by name, where there is a table for the case.
    images
        Images that the same data set holds.
    layout
        What was recognised, for people.
    """

    paths: Mapping[str, Path]
    tables: Mapping[str, Table] = field(default_factory=dict)
    images: Mapping[str, Path] = field(default_factory=dict)
    layout: str = "a file or folder a case"


def find(root: Path) -> Found:
    """Tell a layout and list its cases.

    Parameters
    ----------
    root
        A data set of nnU-Net or of the Medical Segmentation Decathlon (``dataset.json`` and
        ``labelsTr``), or its folder of labels or predictions; BIDS derivatives
        (``sub-*_dseg.nii.gz``); results of ``delineate run``; a folder with a file or folder for
        each case; or one file, the only case.

    Raises
    ------
    InputError
        If there is no case, or two have one name.
    FileNotFoundError
        If the path does not exist.
    """
    if not root.exists():
        raise FileNotFoundError(f"there is no file or folder {root}")
    if root.is_file() or is_result(root):
        return Found({_stem(root): root}, layout=ONE)
    table = _dataset_table(root)
    if (root / _TABLE).is_file() and (root / "labelsTr").is_dir():
        return _dataset(root, root / "labelsTr", table)
    if root.name.startswith("labelsT") and table:
        return _dataset(root.parent, root, table)
    segmentations = sorted(
        path for path in root.rglob("sub-*") if path.is_file() and _BIDS.match(_stem(path))
    )
    if segmentations:
        return _bids(root, segmentations)
    paths = _named(_entries(root), root)
    if not paths:
        raise InputError(
            f"{root.name} holds no case; expected a file or a folder for each, nnU-Net's or the "
            "Decathlon's labelsTr, BIDS derivatives, results of delineate run, or a CSV manifest"
        )
    tables = dict.fromkeys(paths, table) if table else {}
    return Found(paths, {name: one for name, one in tables.items() if one})


def find_images(root: Path) -> dict[str, Path]:
    """Images by case: files, of which nnU-Net's channel 0 counts, or folders of slices."""
    if not root.is_dir():
        raise FileNotFoundError(f"expected a folder of images, and there is none at {root}")
    images: dict[str, Path] = {}
    for path in _entries(root):
        channel = _CHANNEL.search(_stem(path))
        if not channel or channel[1] == "0000":
            images[image_name(path)] = path
    return images


def image_name(path: Path) -> str:
    """The case that an image is of: its name without endings and nnU-Net's channel."""
    return _CHANNEL.sub("", _stem(path))


def _dataset(root: Path, labels: Path, table: Table | None) -> Found:
    paths = _named(_entries(labels), labels)
    folder = root / labels.name.replace("labels", "images")
    images = find_images(folder) if folder.is_dir() else {}
    return Found(
        paths,
        dict.fromkeys(paths, table) if table else {},
        {name: images[name] for name in paths if name in images},
        "nnU-Net or Medical Segmentation Decathlon",
    )


def _dataset_table(root: Path) -> Table | None:
    for path in (root / _TABLE, root.parent / _TABLE):
        if path.is_file():
            return read_table(path)
    return None


def _bids(root: Path, segmentations: list[Path]) -> Found:
    named = _named(iter(segmentations), root, lambda path: _DERIVED.sub("", _stem(path)[:-5]))
    tables = {}
    for name, path in named.items():
        beside = _bids_table(path, root)
        if beside:
            tables[name] = read_table(beside)
    return Found(named, tables, layout="BIDS derivatives")


def _bids_table(path: Path, root: Path) -> Path | None:
    """The nearest ``*dseg.tsv`` whose entities the file has as well (BIDS's inheritance)."""
    entities = set(_stem(path).split("_"))
    folder = path.parent
    while True:
        tables = sorted(folder.glob("*dseg.tsv"), key=lambda one: (-len(one.stem), one.name))
        for table in tables:
            if set(table.stem.split("_")) <= entities:
                return table
        if folder == root:
            return None
        folder = folder.parent


def _entries(root: Path) -> Iterator[Path]:
    """Files and folders that may be cases, by name."""
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in _ASIDE:
            continue
        if path.is_dir():
            if any(one.is_file() for one in path.rglob("*")):
                yield path
        elif _ENDING.search(path.name) or kind_of(path) not in ("other", "zip"):
            yield path


def _named(
    entries: Iterator[Path], root: Path, name_of: Callable[[Path], str] | None = None
) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in entries:
        name = (name_of or _stem)(path)
        if name in found:
            raise InputError(
                f"{root.name} holds {found[name].name} and {path.name}, both of the case {name}; "
                "remove one, or list the files in a CSV manifest"
            )
        found[name] = path
    return dict(sorted(found.items()))


def _stem(path: Path) -> str:
    return _ENDING.sub("", path.name) or path.name
