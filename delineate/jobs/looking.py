"""Look into an upload: unpack it, number its files, say what they hold. Runs in a child process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from delineate.errors import UploadError
from delineate.jobs.admission import admitted
from delineate.jobs.intake import received
from delineate.jobs.upload import Part, arranged, base_name, image_id, suffix

__all__ = ["look", "survey"]


def look(
    folder: str,
    names: list[str],
    max_bytes: int,
    max_files: int,
    uneven: Literal["refuse", "resample"] = "refuse",
    spacing_mm: list[float] | None = None,
    digests: list[str] | None = None,
    *,
    just_came: bool = False,
) -> dict[str, Any]:
    """Unpack an upload, number its files and inspect them.

    Parameters
    ----------
    folder
        With ``parts``, the files in the order of ``names``; gets ``files``, and ``names.json``
        with what their sender calls them.
    names
        What their sender calls them.
    max_bytes, max_files
        Limits once unpacked.
    uneven, spacing_mm
        As for `formats.inspect`.
    digests
        SHA-256 of each file as it came, if it was taken then.
    just_came
        That was in this very request; otherwise the files are read and compared.

    Returns
    -------
    dict
        ``id``, ``files``, ``bytes``, ``reading`` (those options) and ``report``. Other options
        make another id.
    """
    from delineate import formats

    place = Path(folder)
    paths = sorted((place / "parts").iterdir())
    parts: list[Part] = []
    known = digests or [""] * len(names)
    for number, (path, name, digest) in enumerate(zip(paths, names, known, strict=True)):
        if _is_zip(path):
            parts += _unpacked(path, place / f"unpacked{number}", max_bytes, max_files)
        else:
            parts.append(Part(path, name, digest))
    if not parts:
        raise UploadError("the upload holds no file; send DICOM files, a zip of them, or a NIfTI")
    parts, refused = admitted(parts)
    kept = list(arranged(parts, place / "files", just_came=just_came))
    entries = [formats.Entry(part.path, part.name, part.path.name) for part, _ in kept]
    report = formats.inspect(entries, uneven=uneven, spacing_mm=spacing_mm).to_json()
    report["ignored"] += refused + [
        {"name": part.name, "reason": "the same bytes as another file that was sent"}
        for part in parts
        if part.path.exists()  # the others were moved
    ]
    (place / "names.json").write_text(json.dumps({one.path.name: one.name for one in entries}))
    reading = {"uneven": uneven, "spacing_mm": spacing_mm}
    asked = [] if reading == {"uneven": "refuse", "spacing_mm": None} else [json.dumps(reading)]
    return {
        "id": image_id([*(digest for _, digest in kept), *asked]),
        "files": len(kept),
        "bytes": sum(part.path.stat().st_size for part, _ in kept),
        "reading": reading,
        "report": report,
    }


def survey(
    folder: str,
    uneven: Literal["refuse", "resample"] = "refuse",
    spacing_mm: list[float] | None = None,
) -> dict[str, Any]:
    """Inspect what has come of an upload so far; a zip is left for `look`.

    Returns
    -------
    dict
        ``files``, how many there were, and ``report``, without their names.
    """
    from delineate import formats

    files = list(received(Path(folder)))
    paths = [(Path(folder) / "parts" / one.part, one.name) for one in files]
    entries = [formats.Entry(path, name, path.name) for path, name in paths if not _is_zip(path)]
    report = formats.inspect(entries, uneven=uneven, spacing_mm=spacing_mm).to_json()
    series = [{**one, "files": []} for one in report["series"]]
    return {"files": len(files), "report": {**report, "series": series, "ignored": []}}


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _unpacked(path: Path, folder: Path, max_bytes: int, max_files: int) -> list[Part]:
    from delineate.formats import archive

    limits = archive.Limits(entries=max_files, total_bytes=max_bytes)
    folder.mkdir()
    files = archive.extract(path, folder, limits)
    names = archive.original_names(path, limits)
    path.unlink()
    parts = []
    for file, name in zip(files, names, strict=True):
        named = file.with_name(file.name + suffix(name))
        file.rename(named)
        if _is_zip(named):
            raise UploadError("there is a zip within the zip; unpack it and send what it holds")
        parts.append(Part(named, base_name(name)))
    return parts
