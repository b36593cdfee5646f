"""Write the package of a new detector: templates with names filled in."""

from __future__ import annotations

import importlib.util
import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from delineate.errors import OptionError
from delineate.plugins import OutputKind, registry

__all__ = ["write_package"]

_SUMMARIES: dict[OutputKind, str] = {
    "labelmap": "outlines of what is bright.",
    "masks": "outlines of what is bright and of the brighter core within; they overlap.",
    "instances": "counts what is bright and says where each is.",
    "classes": "tells sharp images from blurred ones.",
    "field": "scores every sample by how much it differs from what is around it.",
    "image": "makes images finer.",
}


def write_package(identifier: str, gives: OutputKind, folder: Path) -> list[Path]:
    """Write a detector's package.

    Parameters
    ----------
    identifier
        Id of the detector to be; the names of the package and of the class are made of it.
    gives
        Which of the six kinds of output.
    folder
        New or empty.

    Returns
    -------
    list of Path
        The files, sorted.

    Raises
    ------
    OptionError
        If the id makes no name for a package, is taken, or the folder holds something.
    """
    package = _package(identifier)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(
            f"expected a new or empty folder, and {folder} holds something; name another by "
            "--folder"
        )
    words = re.split(r"[.-]", identifier)
    names = {
        "id": identifier,
        "package": package,
        "distribution": f"delineate-{'-'.join(words)}",
        "name": "".join(word.capitalize() for word in words),
        "title": " ".join(words).capitalize(),
        "summary": _SUMMARIES[gives],
    }
    templates = files("delineate.cli") / "templates"
    places = {
        "pyproject.toml": templates / "pyproject.toml.tmpl",
        "README.md": templates / "README.md.tmpl",
        f"{package}/__init__.py": templates / gives / "__init__.py.tmpl",
        f"{package}/finder.py": templates / gives / "finder.py.tmpl",
        "tests/test_conformance.py": templates / gives / "test_conformance.py.tmpl",
    }
    for place, template in places.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(template.read_text("utf-8")).substitute(names), "utf-8")
    return sorted(folder / place for place in places)


def _package(identifier: str) -> str:
    """Name of the Python package of a detector."""
    if not re.fullmatch(r"[a-z][a-z0-9]*([.-][a-z0-9]+)*", identifier):
        raise OptionError(
            "expected a name of lower-case words joined by dashes or dots, the first beginning "
            f"with a letter, such as leaf-spots; got {identifier!r}"
        )
    package = re.sub(r"[.-]", "_", identifier)
    if keyword.iskeyword(package):
        raise OptionError(f"{package} is a word of Python's own; choose another name")
    if identifier in {spec.id for spec in registry.list_detectors()}:
        raise OptionError(f"a detector {identifier} is installed already; choose another name")
    if importlib.util.find_spec(package) is not None:
        raise OptionError(
            f"a Python package {package} is installed already and would be hidden by this one; "
            "choose another name"
        )
    return package
