"""Find the cases of a data set: nnU-Net, Decathlon, labelme, or a plain folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from delineate.errors import InputError
from delineate.segmentation.training.labelme import drawn_names, is_labelme, paired

__all__ = ["CaseFiles", "DataSet", "find", "label_names"]

Layout = Literal["nnunet", "msd", "labelme", "folder"]

_ENDING = re.compile(
    r"(\.seg)?\.(nii(\.gz)?|nrrd|nhdr|mha|mhd|png|jpe?g|tiff?|dcm|json)$", re.IGNORECASE
)
_PICTURE = re.compile(r"\.(png|jpe?g|tiff?)$", re.IGNORECASE)
_MARK = re.compile(r"[._-](seg|segmentation|labels?|mask)$", re.IGNORECASE)
_DRAWN = ("labels", "masks")
_IGNORE = "ignore"
_MOST_LABELS = 254


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """One case: its name, a file or DICOM folder for each image, and the labels."""

    name: str
    images: tuple[Path, ...]
    labels: Path


@dataclass(frozen=True, slots=True)
class DataSet:
    """Cases to learn from, and what their labels are.

    Parameters
    ----------
    layout
        How they were found.
    cases
        In the order of their names.
    names
        Name of each number in the labels, background left out.
    ignored
        The number of samples that say nothing; ``None`` if there is none.
    channels
        What the data set calls its channels; empty if it does not say.
    """

    layout: Layout
    cases: tuple[CaseFiles, ...]
    names: Mapping[int, str]
    ignored: int | None = None
    channels: tuple[str, ...] = ()


def find(folder: Path, names: Mapping[int, str] | None = None) -> DataSet:
    """Find the cases below a folder.

    Parameters
    ----------
    folder
        With a `dataset.json` (nnU-Net's or the Decathlon's); with `images` and `labels` (or
        `masks`) of the same names; or with pairs such as `x.nii.gz` and `x_seg.nii.gz`
        (also `_label`, `_labels`, `_mask`, `_segmentation`); or with photographs and labelme's
        JSON of the same names, beside them or each in a folder of its own.
    names
        Of the numbers in the labels. ``None``: as `dataset.json` says, or `labels.json`, or those
        that labelme's polygons have.

    Raises
    ------
    InputError
        If there is no case, a case lacks its labels or its image, or nobody names the labels.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder with images and labels, there is none at {folder}")
    stated = folder / "dataset.json"
    if stated.is_file():
        content = _json(stated)
        numbers, ignored = _table(content.get("labels"), stated)
        if names is not None:
            numbers = dict(names)
        known = isinstance(content.get("training"), list)
        found = _msd(folder, content) if known else _nnunet(folder, content)
        channels = content.get("channel_names") or content.get("modality") or {}
        called = tuple(str(channels[key]) for key in sorted(channels, key=int))
        layout: Layout = "msd" if known else "nnunet"
        return DataSet(layout, _demanded(found, folder), numbers, ignored, called)
    if drawings := _drawings(folder):
        return _labelme(folder, drawings, names)
    found = _plain(folder)
    if names is None:
        path = folder / "labels.json"
        if not path.is_file():
            raise InputError(
                f"nothing says what the numbers in the labels of {folder} are; write "
                'labels.json beside them, such as {"1": "liver"}, or give --labels "1=liver"'
            )
        names, ignored = _table(_json(path), path)
    else:
        ignored = None
    return DataSet("folder", _demanded(found, folder), dict(names), ignored)


def label_names(text: str) -> dict[int, str]:
    """Names as the command line has them: ``"1=liver,2=spleen"``.

    Raises
    ------
    InputError
        If it is of another form, or a number or name comes twice.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(number.strip().isdigit() and name.strip() for number, _, name in pairs):
        raise InputError(f'expected labels such as "1=liver,2=spleen", got {text!r}')
    return _checked([(int(number), name.strip()) for number, _, name in pairs], "--labels")[0]


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"expected an object in {path}, got {type(content).__name__}")
    return content


def _table(content: Any, path: Path) -> tuple[dict[int, str], int | None]:
    """Names by number, from a table of either sense, and the number that is ignored."""
    if not isinstance(content, dict) or not content:
        raise InputError(f'expected labels such as {{"1": "liver"}} in {path}, got {content!r}')
    pairs = []
    for key, value in content.items():
        if isinstance(value, list):
            raise InputError(
                f"{path} declares {key!r} as a region of several labels; regions are not trained "
                "here, give each label a name of its own"
            )
        number, name = (key, value) if str(key).isdigit() else (value, key)
        if not str(number).isdigit():
            raise InputError(f"{path}: expected a number for label {name!r}, got {number!r}")
        pairs.append((int(number), str(name)))
    return _checked(pairs, str(path))


def _checked(pairs: list[tuple[int, str]], where: str) -> tuple[dict[int, str], int | None]:
    ignored = next((number for number, name in pairs if name.lower() == _IGNORE and number), None)
    names = {number: name for number, name in pairs if number and number != ignored}
    if not names or len(pairs) != len(dict(pairs)) or len(set(names.values())) != len(names):
        raise InputError(f"{where}: expected labels with a number and a name of their own each")
    if len(names) > _MOST_LABELS or max(names) > 65535:
        raise InputError(f"{where}: expected at most {_MOST_LABELS} labels from 1 to 65535")
    return dict(sorted(names.items())), ignored


def _msd(folder: Path, content: dict[str, Any]) -> list[CaseFiles]:
    found = []
    for entry in content["training"]:
        try:
            image, labels = folder / entry["image"], folder / entry["label"]
        except (TypeError, KeyError) as error:
            raise InputError(
                f'{folder / "dataset.json"}: expected {{"image": ..., "label": ...}} in '
                f"training, got {entry!r}"
            ) from error
        name = _stem(image)
        images = (image,) if image.exists() else _channels(image.parent, name, image.name)
        found.append(CaseFiles(name, images, labels))
    return found


def _nnunet(folder: Path, content: dict[str, Any]) -> list[CaseFiles]:
    listed = content.get("dataset")
    if isinstance(listed, dict):
        return [
            CaseFiles(
                str(name),
                tuple(folder / path for path in entry["images"]),
                folder / entry["label"],
            )
            for name, entry in listed.items()
        ]
    ending = str(content.get("file_ending", ".nii.gz"))
    drawn = sorted((folder / "labelsTr").glob(f"*{ending}"))
    names = [path.name.removesuffix(ending) for path in drawn if not path.name.startswith(".")]
    images = folder / "imagesTr"
    orphans = {path.name[: -len(f"_0000{ending}")] for path in images.glob(f"*_0000{ending}")}
    if missing := sorted(each for each in orphans - set(names) if not each.startswith(".")):
        raise InputError(f"case {missing[0]} has no labels: expected labelsTr/{missing[0]}{ending}")
    return [
        CaseFiles(name, _channels(images, name, f"{name}{ending}"), folder / "labelsTr" / file)
        for name, file in ((name, f"{name}{ending}") for name in names)
    ]


def _channels(folder: Path, name: str, file: str) -> tuple[Path, ...]:
    """Files of nnU-Net's channels: ``name_0000.ext``, ``name_0001.ext`` ..."""
    ending = file.removeprefix(name)
    wanted = re.compile(re.escape(name) + r"_\d{4}" + re.escape(ending))
    return tuple(sorted(each for each in folder.glob("*") if wanted.fullmatch(each.name)))


def _plain(folder: Path) -> list[CaseFiles]:
    images = folder / "images"
    drawn = next((folder / name for name in _DRAWN if (folder / name).is_dir()), None)
    if images.is_dir() and drawn is not None:
        labels = {_MARK.sub("", _stem(path)): path for path in _entries(drawn)}
        pictures = {_stem(path): path for path in _entries(images)}
    else:
        every = {_stem(path): path for path in _entries(folder)}
        labels = {_MARK.sub("", stem): path for stem, path in every.items() if _MARK.search(stem)}
        pictures = {stem: path for stem, path in every.items() if not _MARK.search(stem)}
    for name in sorted(pictures.keys() - labels.keys()):
        raise InputError(f"case {name} has no labels in {drawn or folder}; expected {name}_seg")
    for name in sorted(labels.keys() - pictures.keys()):
        raise InputError(f"the labels {labels[name].name} have no image {name}")
    return [CaseFiles(name, (pictures[name],), labels[name]) for name in sorted(pictures)]


def _drawings(folder: Path) -> list[Path]:
    """Files of labelme in a folder, or in one of those within it."""
    for place in (folder, *sorted(each for each in folder.iterdir() if each.is_dir())):
        if found := [path for path in sorted(place.glob("[!.]*.json")) if is_labelme(path)]:
            return found
    return []


def _labelme(folder: Path, drawings: list[Path], names: Mapping[int, str] | None) -> DataSet:
    place = drawings[0].parent
    beside = [path for path in _entries(place) if _PICTURE.search(path.name)]
    others = [
        path
        for each in sorted(folder.iterdir())
        if each.is_dir() and each != place
        for path in _entries(each)
        if _PICTURE.search(path.name)
    ]
    pairs = paired(drawings, beside or others)
    found = [CaseFiles(name, (image,), drawn) for name, (image, drawn) in pairs.items()]
    numbers = dict(names) if names is not None else drawn_names(drawings)
    if not numbers:
        raise InputError(f"nothing is drawn on any picture of {folder}; there is nothing to learn")
    return DataSet("labelme", _demanded(found, folder), numbers)


def _entries(folder: Path) -> list[Path]:
    """Files of a kind that is read, and folders."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and (path.is_dir() or (_ENDING.search(path.name) and path.name != "labels.json"))
    )


def _stem(path: Path) -> str:
    return _ENDING.sub("", path.name)


def _demanded(found: list[CaseFiles], folder: Path) -> tuple[CaseFiles, ...]:
    if not found:
        raise InputError(
            f"no case in {folder}; expected dataset.json with imagesTr and labelsTr, folders "
            "images and labels, pairs such as x.nii.gz and x_seg.nii.gz, or photographs with "
            "labelme's JSON"
        )
    for case in found:
        if not case.images or not all(path.exists() for path in case.images):
            raise InputError(f"the image of case {case.name} is missing in {folder}")
        if not case.labels.exists():
            raise InputError(f"the labels of case {case.name} are missing: no {case.labels}")
    names = [case.name for case in found]
    if len(set(names)) != len(names):
        raise InputError(f"two cases of {folder} have the same name; give each its own")
    return tuple(sorted(found, key=lambda case: case.name))
