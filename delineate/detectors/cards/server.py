"""Talk to a server that a card names: what goes wrong is the detector's fault.

A token is read from an environment variable whenever it is needed.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from delineate.client.faults import told
from delineate.client.transport import SMALL, Answer, Session, stays_secret
from delineate.client.transport import Server as AnyServer
from delineate.detectors.cards.card import RemotePart
from delineate.errors import DetectorError, OptionError, UnsuitableImageError

__all__ = ["SMALL", "Answer", "Server", "Session"]

_SHOWN = 400
_INPUT_ERRORS = {"UnsuitableImageError": UnsuitableImageError, "OptionError": OptionError}


class Server(AnyServer):
    """A server, and how it is to be asked.

    Parameters
    ----------
    part
        What the card says of it.

    Raises
    ------
    MissingExtraError
        If httpx is not installed.
    DetectorError
        If the token is not there, or would travel for all to read.
    """

    def __init__(self, part: RemotePart) -> None:
        token = _token(part) if part.token_env else None
        super().__init__(part.url, _Blame(urlsplit(part.url).netloc), token, part.timeout_s)


class _Blame:
    """A server that fails fails the detector; what a delineate service refuses, it refuses."""

    def __init__(self, name: str) -> None:
        self._name = name

    def broken(self, asked: str, what: str) -> Exception:
        """See `transport.Faults`."""
        return DetectorError(f"{asked}: {what}")

    def refused(self, asked: str, answer: Answer) -> Exception:
        """See `transport.Faults`."""
        status = answer.status
        if 300 <= status < 400:
            place = answer.headers.get("location", "?")
            return self.broken(
                asked,
                f"{status}, a redirect to {place!r:.200}; none is followed, put the right address "
                "into the card",
            )
        title, text, _ = told(answer.body)
        text = text[:_SHOWN]
        if status == 422 and title in _INPUT_ERRORS:
            return _INPUT_ERRORS[title](f"{self._name}: {text}")
        hint = {
            401: "; name the environment variable of its token in the card (token_env)",
            403: "; the token is not allowed to do this, or the server refuses this machine",
        }.get(status, "")
        return self.broken(asked, f"{status} {text}{hint}")


def _token(part: RemotePart) -> str:
    assert part.token_env is not None
    token = os.environ.get(part.token_env, "")
    if not token.isascii() or not token.isprintable() or not token:
        raise DetectorError(
            f"expected a token in the environment variable {part.token_env}, which is "
            f"{'not printable' if token else 'not set'}; set it to the token that {part.url} takes"
        )
    if not stays_secret(part.url):
        raise DetectorError(
            f"the token of {part.token_env} is not sent to {part.url}, where everybody on the way "
            "could read it; use https"
        )
    return token
