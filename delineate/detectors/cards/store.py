"""Cards that are installed: folders under ``DELINEATE_CARDS``, or the user's data folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from delineate.detectors.cards.card import NAME, Card, File, parse_card, read_card
from delineate.detectors.cards.declare import detector_of
from delineate.detectors.cards.trial import tried
from delineate.errors import ConflictError, ModelError, NotFoundError, UploadError
from delineate.segmentation.imports.source import Files, below, opened
from delineate.segmentation.scratch import scratch_folder

__all__ = [
    "VARIABLE",
    "Stored",
    "add",
    "cards_folder",
    "check",
    "find_card",
    "remove",
    "stored_cards",
]

VARIABLE = "DELINEATE_CARDS"
_MOST_BYTES = 8 << 30
_READABLE = (".md", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One folder of the store: its card, or the ``problem`` why that cannot be read."""

    name: str
    folder: Path
    card: Card | None = None
    problem: str = ""


def cards_folder() -> Path:
    """Where cards are installed; it need not exist yet."""
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "delineate" / "cards"


def stored_cards() -> tuple[Stored, ...]:
    """All cards by name; one that is broken is there with its problem, and hides no other."""
    root = cards_folder()
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return tuple(
        _stored(folder) for folder in folders if folder.is_dir() and folder.name[0] not in "._"
    )


def _stored(folder: Path) -> Stored:
    try:
        card = read_card(folder)
        if card.id != folder.name:
            raise ModelError(f"the card {card.id} lies in a folder called {folder.name}")
        detector_of(card, folder)
    except ModelError as error:
        return Stored(name=folder.name, folder=folder, problem=str(error))
    return Stored(name=folder.name, folder=folder, card=card)


def find_card(name: str) -> Stored:
    """An installed card, broken or not.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    cards = {each.name: each for each in stored_cards()}
    if name not in cards:
        raise NotFoundError(
            f"no card {name!r} is installed; there are {', '.join(cards) or 'none'} (in "
            f"{cards_folder()})"
        )
    return cards[name]


def add(path: Path) -> Stored:
    """Install a card: its JSON file, its folder, or the zip of one.

    The files that it names are copied, and hashed or compared with the hashes that it states.
    What a server knows of its detector is asked for, and written into the card; no image is sent.
    An ONNX file is run once, on a blank image, in a process of its own.

    Parameters
    ----------
    path
        Files that the card names lie beside it. Nothing in it is run but the graph.

    Raises
    ------
    ModelError
        If it is no card, or its files or its server are not as it says.
    ConflictError
        If a detector of that id is installed.
    UploadError
        If it is a zip that is hostile or damaged.
    DetectorError
        If its server does not answer.
    """
    with _files(path) as (name, files), scratch_folder(cards_folder()) as scratch:
        card = parse_card(files[name].read_bytes(), name)
        target = cards_folder() / card.id
        _demand_free(card.id, target)
        folder = scratch / "card"
        folder.mkdir()
        card = _filled_in(_copied(card, files, folder))
        (folder / NAME).write_text(card.text(), encoding="utf-8")
        read_card(folder)
        spec = detector_of(card, folder)
        if card.onnx is not None:
            tried(spec, card.onnx)
        try:
            folder.rename(target)
        except OSError as error:
            raise ConflictError(f"a card {card.id} has been installed meanwhile") from error
    return _stored(target)


def remove(name: str) -> None:
    """Delete an installed card; see `find_card` for errors."""
    found = find_card(name)
    if found.folder.is_symlink():
        found.folder.unlink()
        return
    with scratch_folder(cards_folder()) as scratch:  # out of sight at once, then deleted
        found.folder.rename(scratch / "removed")


def check(name: str) -> float:
    """Check a card's files and run its graph, or compare it with what its server tells now.

    Returns
    -------
    float
        Seconds that it took.

    Raises
    ------
    NotFoundError
        If there is none.
    ModelError, DetectorError
        If anything is not as it was when the card was added.
    """
    found = find_card(name)
    card = found.card
    if card is None:
        raise ModelError(found.problem)
    began = time.perf_counter()
    if card.onnx is not None:
        tried(detector_of(card, found.folder), card.onnx)
    elif _filled_in(card) != card:
        raise ModelError(
            f"the server of {name} does not tell of its detector what it told when the card was "
            "added; remove the card and add it again"
        )
    return time.perf_counter() - began


def _filled_in(card: Card) -> Card:
    """The card with what its server tells."""
    if card.delineate is not None:
        from delineate.detectors.cards import service

        return service.filled_in(card)
    if card.monailabel is not None:
        from delineate.detectors.cards import monailabel

        return monailabel.filled_in(card)
    if card.kserve is not None:
        from delineate.detectors.cards import kserve

        return kserve.filled_in(card)
    return card


def _demand_free(identifier: str, target: Path) -> None:
    from delineate.plugins import registry

    if target.exists() or target.is_symlink():
        raise ConflictError(
            f"a card {identifier} is installed; remove it first, or give another id"
        )
    if identifier in {spec.id for spec in registry.list_detectors()}:
        raise ConflictError(
            f"{identifier} is the id of an installed detector; give the card another one"
        )


@contextmanager
def _files(path: Path) -> Iterator[tuple[str, Files]]:
    """Name of the card, and the files beside it by theirs."""
    if path.is_file() and path.suffix.lower() == ".json":
        beside = {
            one.name: one for one in path.parent.iterdir() if one.is_file() and not one.is_symlink()
        }
        yield path.name, {**beside, path.name: path}
        return
    if path.is_file() and path.suffix.lower() != ".zip":
        raise ModelError(f"expected a card as JSON, a folder or a zip, got {path}")
    with opened(path) as everything:
        folders = {name.partition("/")[0] for name in everything if "/" in name}
        roots = ["", *folders] if len(folders) == 1 else [""]
        for root in roots:
            if NAME in below(everything, root):
                yield NAME, below(everything, root)
                return
    raise ModelError(f"{path} holds no {NAME}; expected a card and the files that it names")


def _copied(card: Card, files: Files, folder: Path) -> Card:
    """Copy the files that a card names, and what people read; the card with their hashes."""
    for name, file in files.items():
        if Path(name).suffix in _READABLE and "/" not in name and name[0] != ".":
            shutil.copyfile(file, folder / name)
    part = card.onnx
    if part is None:
        return card
    named = [_copied_file(one, files, folder) for one in part.files]
    update = {"sha256": named[0].sha256, "external": tuple(named[1:])}
    return card.model_copy(update={"onnx": part.model_copy(update=update)})


def _copied_file(one: File, files: Files, folder: Path) -> File:
    from delineate.detectors.cards.onnx_detector import digest

    if one.file not in files:
        raise ModelError(f"the card names {one.file}, which does not lie beside it")
    if (size := files[one.file].stat().st_size) > _MOST_BYTES:
        raise UploadError(f"{one.file} has {size} bytes, at most {_MOST_BYTES} are taken")
    shutil.copyfile(files[one.file], folder / one.file)
    found = digest(folder / one.file)
    if one.sha256 not in (None, found):
        raise ModelError(
            f"{one.file} is not the file that the card names: expected sha256 {one.sha256}, got "
            f"{found}"
        )
    return one.model_copy(update={"sha256": found})
