"""An image comes in, a detector finds things in it, and what it found leaves as outlines,
numbers and standard files.

>>> import delineate
>>> image = delineate.read("scan/")                            # doctest: +SKIP
>>> found = delineate.delineate(image, "organs.ct")            # doctest: +SKIP
>>> delineate.export(found, ["nifti", "rtstruct"], "results")  # doctest: +SKIP

Names are imported at first use: ``import delineate`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delineate.contour import Contour
    from delineate.delineation import Delineation, Finding, delineate, export
    from delineate.errors import DelineateError
    from delineate.formats import inspect, read
    from delineate.imaging import Category, Code, Grid, Image, LabelMap
    from delineate.plugins import DetectorSpec, Options, Reference, Wants
    from delineate.plugins.registry import list_detectors

    __version__: str

__all__ = [
    "Category",
    "Code",
    "Contour",
    "DelineateError",
    "Delineation",
    "DetectorSpec",
    "Finding",
    "Grid",
    "Image",
    "LabelMap",
    "Options",
    "Reference",
    "Wants",
    "delineate",
    "export",
    "inspect",
    "list_detectors",
    "read",
]

_HOMES = {
    "contour": ("Contour",),
    "delineation": ("Delineation", "Finding", "delineate", "export"),
    "errors": ("DelineateError",),
    "formats": ("inspect", "read"),
    "imaging": ("Category", "Code", "Grid", "Image", "LabelMap"),
    "plugins": ("DetectorSpec", "Options", "Reference", "Wants"),
    "plugins.registry": ("list_detectors",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOME_OF:
        raise AttributeError(f"module 'delineate' has no attribute {name!r}")
    value = getattr(import_module(f"delineate.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("delineate")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
