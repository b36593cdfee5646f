"""What may be kept of files that come in, and in what form: with their patients or without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from delineate.errors import UnavailableError, UploadError
from delineate.jobs.deidentify import clean_file
from delineate.jobs.pseudonyms import Pseudonyms
from delineate.jobs.settings import Settings
from delineate.jobs.upload import Part

__all__ = ["admitted", "clean"]


def admitted(parts: Sequence[Part]) -> tuple[list[Part], list[dict[str, str]]]:
    """Clean files that came in, where the settings of this process say so.

    Parameters
    ----------
    parts
        Below the ``incoming`` folder of their tenant.

    Returns
    -------
    tuple
        Those that may be kept, under names that tell nothing, and of each other its number as
        ``name`` and a ``reason``.

    Raises
    ------
    UploadError
        If none may be kept.
    """
    reasons = clean([part.path for part in parts])
    if reasons is None:
        return list(parts), []
    kept, refused = [], []
    for number, (part, reason) in enumerate(zip(parts, reasons, strict=True), start=1):
        if reason:
            refused.append({"name": f"file {number}", "reason": reason})
        else:
            kept.append(Part(part.path, f"{number:04d}.dcm"))
    if not kept:
        raise UploadError(
            f"this service keeps no names of patients, and none of the {len(parts)} files may be "
            f"kept; of the first: {refused[0]['reason']}"
        )
    return kept, refused


def clean(paths: Sequence[Path]) -> list[str] | None:
    """Of each file that came in why it may not be kept; ``None`` if patients may stay in files.

    Files that do not lie in an ``incoming`` folder were cleaned when they did.
    """
    settings = Settings.from_environment()
    if settings.deidentify == "off":
        return None
    tenants = settings.data.resolve() / "tenants"
    reasons = []
    for path in paths:
        tenant, place, *_ = path.resolve().relative_to(tenants).parts
        pseudonyms = Pseudonyms(settings.identities / tenant)
        reasons.append(_reason(path, pseudonyms) if place == "incoming" else "")
    return reasons


def _reason(path: Path, pseudonyms: Pseudonyms) -> str:
    try:
        clean_file(path, pseudonyms)
    except UploadError as error:
        return str(error)
    except UnavailableError:
        raise
    except Exception as error:  # pydicom raises anything on broken files
        return f"it cannot be freed of its patient ({type(error).__name__})"
    return ""
