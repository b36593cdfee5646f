"""Values given by hand, where a model leaves them open or as code."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from delineate.errors import ModelError, OptionError

__all__ = ["Settings", "chosen", "parsed", "refuse_unknown"]

Settings = Mapping[str, Any]


def parsed(texts: Iterable[str]) -> dict[str, Any]:
    """Settings from the command line: ``pixdim=1.5,1.5,1.5``, ``name=mine``, ``folds=0``.

    A value is JSON if it can be, otherwise a list if it has commas, otherwise text.
    """
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise OptionError(f"expected a setting as KEY=VALUE, got {text!r}")
        settings[key] = _value(value)
    return settings


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if "," in text and text[0] not in "[{":
        return [_value(part.strip()) for part in text.split(",")]
    return text


def refuse_unknown(settings: Settings, known: Collection[str]) -> None:
    """OptionError for a setting that would have no effect."""
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise OptionError(f"no setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")


def chosen(settings: Settings, name: str, allowed: Collection[str], default: str) -> str:
    """A setting that is one of a few texts."""
    value = settings.get(name, default)
    if value not in allowed:
        raise ModelError(f"expected {name} to be one of {', '.join(allowed)}, got {value!r}")
    return str(value)
