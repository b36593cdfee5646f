"""Keep a result in a folder, and take it up again."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import cast

import numpy as np
from isal import igzip, isal_zlib

from delineate.delineation.document import dumps, from_json, to_json
from delineate.delineation.result import Delineation
from delineate.errors import DelineateError, UnreadableFileError
from delineate.imaging import Image
from delineate.plugins import Output
from delineate.plugins.wire import Json, pack, unpack

__all__ = ["KEPT", "load", "load_output", "save"]

_RESULT, _OUTPUT, _ARRAY = "delineation.json", "output.json", "output.npy.gz"
KEPT = (_RESULT, _OUTPUT, _ARRAY)
"""Names of the files; results without samples lack the last."""

_LEVEL = 1  # of 0 to 3
_BROKEN = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    cast("type[Exception]", isal_zlib.error),
)


def save(delineation: Delineation, folder: Path | str) -> None:
    """Keep all of a result but its image.

    Writes ``delineation.json`` (the document of the REST interface), ``output.json`` and, for
    outputs with samples, ``output.npy.gz``. The first is written last: where it is, the rest is.

    Parameters
    ----------
    delineation
        The result. The same one gives the same bytes.
    folder
        Made where it is missing; files of the same names are replaced.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    document, array = pack(delineation.output)
    if array is not None:
        plain = io.BytesIO()
        np.lib.format.write_array(plain, np.ascontiguousarray(array), allow_pickle=False)
        _write(folder / _ARRAY, igzip.compress(plain.getbuffer(), _LEVEL, mtime=0))
    _write(folder / _OUTPUT, dumps(document).encode())
    _write(folder / _RESULT, dumps(to_json(delineation)).encode())


def load(folder: Path | str, image: Image) -> Delineation:
    """Take up a result that :func:`save` has kept.

    Parameters
    ----------
    folder
        Where it is kept.
    image
        The image it was found in, read again.

    Raises
    ------
    UnreadableFileError
        If the folder holds no result, a broken one, or that of another image.
    """
    document, output = load_output(folder)
    try:
        kept_hash = document["image"]["hash"]
        if image.content_hash == kept_hash:
            return from_json(document, image, output)
    except DelineateError:
        raise
    except _BROKEN as error:
        raise _broken(Path(folder), error) from error
    raise UnreadableFileError(
        f"the result in {Path(folder).name} is of the image {kept_hash}, not of "
        f"{image.content_hash}"
    )


def load_output(folder: Path | str) -> tuple[Json, Output]:
    """The document and the output of a result, for those who do not need its image.

    Raises
    ------
    UnreadableFileError
        If the folder holds no result, or a broken one.
    """
    folder = Path(folder)
    try:
        document = _read(folder / _RESULT)
        packed = _read(folder / _OUTPUT)
        array = None
        if packed["kind"] not in ("instances", "classes"):
            plain = io.BytesIO(igzip.decompress((folder / _ARRAY).read_bytes()))
            array = np.lib.format.read_array(plain, allow_pickle=False)
        return document, unpack(packed, array)
    except DelineateError:
        raise
    except _BROKEN as error:
        raise _broken(folder, error) from error


def _broken(folder: Path, error: Exception) -> UnreadableFileError:
    return UnreadableFileError(
        f"expected a kept result in {folder.name}, got {type(error).__name__}: {error}"
    )


def _write(path: Path, content: bytes) -> None:
    scratch = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _read(path: Path) -> Json:
    document: Json = json.loads(path.read_text(encoding="utf-8"))
    return document
