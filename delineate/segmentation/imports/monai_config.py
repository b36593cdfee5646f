"""The configuration of a MONAI bundle, read as data.

MONAI's own parser builds whatever ``_target_`` names and evaluates every text that starts with
``$``. Here a text stays a text: references to plain data are followed, ``_target_`` is compared
with tables of known names, and an expression that is needed is refused, with the way to give its
value by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from delineate.errors import ModelError, OptionError
from delineate.segmentation.imports.settings import Settings
from delineate.segmentation.imports.source import Files, read_json, read_text

__all__ = ["Config", "bare_name", "read_config"]

CONFIGS = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
_READ = ("network_def", "preprocessing", "inferer", "postprocessing")
_DEEPEST = 40
_MISSING: Any = object()


def bare_name(target: Any, where: str) -> str:
    """The class that a ``_target_`` names, ``monai.`` and the module left out.

    Raises
    ------
    ModelError
        If it is no text, or belongs to another package: it would be code.
    """
    if not isinstance(target, str) or target[:1] in ("$", "@", "%"):
        raise ModelError(f"{where}#_target_ is {target!r}; expected the name of a class of MONAI")
    package, _, name = target.rpartition(".")
    if package and package.partition(".")[0] != "monai":
        raise ModelError(
            f"{where} wants {target}, which is not MONAI's; code of a bundle is never run"
        )
    return name


class Config:
    """Values of a configuration by their path, such as ``preprocessing#transforms#0``.

    Parameters
    ----------
    content
        As its file has it.
    overrides
        Values by path that replace, or add to, those of the file.
    """

    def __init__(self, content: dict[str, Any], overrides: Settings) -> None:
        self.content = content
        self.following = 0
        text = json.dumps(content, default=str)
        for path, value in overrides.items():
            parts = _parts(path)
            if parts == [path] and not (
                path in content or path in _READ or f"@{path}" in text or f"%{path}" in text
            ):
                raise OptionError(
                    f"the setting {path} has no effect: the bundle's configuration has "
                    f"{', '.join(content)}"
                )
            self._override(parts, value)

    def _override(self, parts: list[str], value: Any) -> None:
        *before, last = parts
        place: Any = self.content
        for part in before:
            place = _item(place, part)
            if place is _MISSING:
                raise ModelError(f"there is no {'#'.join(parts)} in the configuration to set")
        if isinstance(place, list) and last.isdecimal() and int(last) < len(place):
            place[int(last)] = value
        elif isinstance(place, dict):
            place[last] = value
        else:
            raise ModelError(f"there is no {'#'.join(parts)} in the configuration to set")

    def has(self, path: str) -> bool:
        """Whether there is something."""
        return self._raw(path) is not _MISSING

    def raw(self, path: str) -> Any:
        """A value with references followed at its top alone; what is within stays unread."""
        value = self._raw(path)
        if value is _MISSING:
            raise ModelError(
                f"the bundle's configuration has no {path}; give it: --set '{path}=...'"
            )
        return self._followed(value, path)[0]

    def plain(self, path: str) -> Any:
        """A value as plain data, all references followed.

        Raises
        ------
        ModelError
            If it is missing or needs an expression.
        """
        value = self._raw(path)
        if value is _MISSING:
            raise ModelError(
                f"the bundle's configuration has no {path}; give it: --set '{path}=...'"
            )
        return self._plain(value, path, 0)

    def _raw(self, path: str) -> Any:
        value: Any = self.content
        for number, part in enumerate(_parts(path)):
            if number and isinstance(value, str):
                value = self._followed(value, path)[0]
            value = _item(value, part)
            if value is _MISSING:
                break
        return value

    def _followed(self, value: Any, where: str) -> tuple[Any, str]:
        """The value itself if it is no reference, else what it refers to, and where that is."""
        self.following += 1
        try:
            for _ in range(_DEEPEST):
                if not (isinstance(value, str) and value[:1] in ("@", "%")):
                    return value, where
                path = value[1:].replace("::", "#")
                if self.following > _DEEPEST or not path or path.startswith("#"):
                    break
                found = self._raw(path)
                if found is _MISSING:
                    raise ModelError(
                        f"{where} refers to {value}, which is not in the configuration; give it: "
                        f"--set '{path}=...'"
                    )
                value, where = found, path
        finally:
            self.following -= 1
        raise ModelError(f"{where}: the reference {value} cannot be followed")

    def _plain(self, value: Any, where: str, depth: int) -> Any:
        value, where = self._followed(value, where)
        if depth > _DEEPEST:
            raise ModelError(f"{where} is nested too deeply")
        if isinstance(value, str) and value.startswith("$"):
            raise ModelError(
                f"{where} is an expression, and expressions of a bundle are never run: "
                f"{value[:200]}\nGive its value by hand: --set '{where}=...' "
                "(such as --set pixdim=1.5,1.5,1.5)"
            )
        if isinstance(value, dict):
            return {
                key: self._plain(each, f"{where}#{key}", depth + 1) for key, each in value.items()
            }
        if isinstance(value, list):
            return [
                self._plain(each, f"{where}#{number}", depth + 1)
                for number, each in enumerate(value)
            ]
        return value


def read_config(files: Files) -> dict[str, Any]:
    """The bundle's configuration of inference; empty if it has none.

    Raises
    ------
    ModelError
        If it is no JSON or YAML, or YAML that repeats itself by aliases.
    """
    for name in CONFIGS:
        if name in files:
            return read_json(files, name) if name.endswith(".json") else _yaml(files, name)
    return {}


def _yaml(files: Files, name: str) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]

    text = read_text(files, name)
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        if any(isinstance(event, yaml.AliasEvent) for event in events):
            raise ModelError(f"{name} has aliases; write it as JSON")
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ModelError(f"{name} is not plain YAML: {error}") from error
    if not isinstance(content, Mapping):
        raise ModelError(f"{name} holds no mapping")
    return dict(content)


def _parts(path: str) -> list[str]:
    return path.replace("::", "#").split("#")


def _item(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return value.get(part, _MISSING)
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    return _MISSING
