"""The files of a folder or a zip, by their names in it."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from delineate.errors import ModelError
from delineate.formats.archive import extract, original_names

__all__ = ["Files", "below", "opened", "read_json", "read_text"]

Files = Mapping[str, Path]
"""Names with ``/`` between their parts, as the sender has them, and where the content lies."""

_MOST_FILES = 20_000
_MOST_TEXT = 16 << 20


@contextmanager
def opened(path: Path) -> Iterator[Files]:
    """The files of a folder or a zip, for as long as the context lasts.

    Names never become paths: a zip is unpacked under names made up here, links in a folder are
    passed over.

    Raises
    ------
    ModelError
        If it is neither, or a folder of more files than any model has.
    UploadError
        If the zip is hostile or damaged.
    """
    if path.is_dir():
        yield _folder(path)
    elif path.is_file() and zipfile.is_zipfile(path):
        with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
            files = extract(path, Path(scratch))
            names = [name.replace("\\", "/").removeprefix("./") for name in original_names(path)]
            if len(set(names)) != len(names):
                raise ModelError(f"{path} holds two files of the same name")
            yield dict(zip(names, files, strict=True))
    elif path.exists() and path.suffix.lower() == ".zip":
        raise ModelError(f"{path} is damaged or was cut off; copy or download it again")
    elif path.exists():
        raise ModelError(f"{path} is neither a folder nor a zip; expected a model as one of them")
    else:
        raise ModelError(f"there is no {path}")


def _folder(path: Path) -> Files:
    found: dict[str, Path] = {}
    for root, folders, names in os.walk(path):
        folders[:] = sorted(each for each in folders if not (Path(root) / each).is_symlink())
        for name in sorted(names):
            file = Path(root) / name
            if file.is_file() and not file.is_symlink():
                found[file.relative_to(path).as_posix()] = file
            if len(found) > _MOST_FILES:
                raise ModelError(f"{path} holds more than {_MOST_FILES} files; give the model's")
    return found


def below(files: Files, folder: str) -> Files:
    """Files of a folder among them, by their names in it; ``""``: all."""
    start = f"{folder}/" if folder else ""
    return {
        name.removeprefix(start): path for name, path in files.items() if name.startswith(start)
    }


def read_text(files: Files, name: str) -> str:
    """A text of at most 16 MB; ModelError if it is missing, larger or not UTF-8."""
    if name not in files:
        raise ModelError(f"there is no {name}; expected one, found {', '.join(sorted(files)[:12])}")
    if files[name].stat().st_size > _MOST_TEXT:
        raise ModelError(f"{name} is larger than {_MOST_TEXT >> 20} MB")
    try:
        return files[name].read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{name} cannot be read: {error}") from error


def read_json(files: Files, name: str) -> dict[str, Any]:
    """A JSON object; ModelError for anything else."""
    try:
        content = json.loads(read_text(files, name))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{name} holds a {type(content).__name__}, expected a JSON object")
    return content
