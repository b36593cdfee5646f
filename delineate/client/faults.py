"""What a delineate service answers in place of a result, as the errors that the library raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from delineate import errors
from delineate.client.transport import Answer
from delineate.errors import (
    AccessError,
    ConflictError,
    DelineateError,
    InputError,
    NotFoundError,
    RemoteError,
    SeriesChoiceError,
    TooLargeError,
)

__all__ = ["ServiceFaults", "told", "told_error"]

_SHOWN = 2000
# Where a title says nothing: an error of a later version, or of a proxy in between.
_BY_STATUS: Mapping[int, type[DelineateError]] = {
    401: AccessError,
    403: AccessError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    422: InputError,
}


class ServiceFaults:
    """Errors as the library raises them; `RemoteError` for what the service is to blame for."""

    def broken(self, asked: str, what: str) -> Exception:
        """See `transport.Faults`."""
        return RemoteError(f"{asked}: {what}")

    def refused(self, asked: str, answer: Answer) -> Exception:
        """See `transport.Faults`."""
        if 300 <= answer.status < 400:
            place = answer.headers.get("location", "?")
            return RemoteError(f"{asked}: {answer.status}, a redirect to {place!r:.200}")
        title, text, document = told(answer.body)
        named = getattr(errors, title, None)
        if isinstance(named, type) and issubclass(named, DelineateError):
            return told_error(named, text, document)
        kind = _BY_STATUS.get(answer.status, RemoteError)
        return kind(text if kind is not RemoteError else f"{asked}: {answer.status} {text}")


def told_error(
    kind: type[DelineateError], text: str, document: Mapping[str, Any] | None = None
) -> DelineateError:
    """An error of that kind and text; ``document`` is the problem that tells it."""
    if issubclass(kind, SeriesChoiceError):
        return kind(text, (document or {}).get("series", ()))
    return kind(text)


def told(body: bytes) -> tuple[str, str, Mapping[str, Any]]:
    """Title, text and document of an error, as services of several kinds tell them."""
    text, title = body[: 4 * _SHOWN].decode("utf-8", "replace"), ""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        text = str(document.get("detail") or document.get("error") or text)
        title = str(document.get("title", ""))
    printed = "".join(each if each.isprintable() else " " for each in text).strip()
    kept = document if isinstance(document, dict) else {}
    return title, printed[:_SHOWN] or "without a word", kept
