"""Fetch models over the network: the only place that does, and only from listed addresses.

A list of sources names each file's address, size and sha256; what comes is not opened unless it is
exactly that. The list that is shipped is empty: hashes of files that we did not check ourselves
would promise what nobody verified. Whoever trusts a file writes down its hash in a list of their
own.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from importlib import resources
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from delineate.errors import ModelError, NotFoundError
from delineate.segmentation import store
from delineate.segmentation.imports.naming import checked_name
from delineate.segmentation.imports.settings import Settings
from delineate.segmentation.model import Model

__all__ = ["Source", "fetch", "read_sources"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_KINDS = ("model", "monai-bundle", "nnunet")
_CHUNK = 1 << 20
_TIMEOUT_S = 60.0
_MOST_BYTES = 16 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file that may be fetched.

    Parameters
    ----------
    name
        That the model is installed by.
    address
        https; http only on this machine itself.
    sha256, size
        Of the file, in hexadecimal and bytes.
    licence, kind
        Of the model: ``"model"``, ``"monai-bundle"`` or ``"nnunet"``.
    settings
        Values by hand for its importer.
    """

    name: str
    address: str
    sha256: str
    size: int
    licence: str
    kind: str
    settings: Settings

    def __post_init__(self) -> None:
        checked_name(self.name)
        _check_address(self.address)
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"expected a sha256 of 64 hexadecimal digits, got {self.sha256!r}")
        if not 0 < self.size <= _MOST_BYTES:
            raise ValueError(f"expected a size of 1 to {_MOST_BYTES} bytes, got {self.size}")
        if self.kind not in _KINDS:
            raise ValueError(f"expected a kind of {', '.join(_KINDS)}, got {self.kind!r}")


def read_sources(path: Path | None = None) -> dict[str, Source]:
    """The list that is shipped, and that of a file, whose entries win.

    Raises
    ------
    ModelError
        If a list is not JSON, or an entry of it makes no sense.
    """
    shipped = resources.files("delineate.segmentation").joinpath("sources.json").read_text("utf-8")
    found = _sources(shipped, "the shipped list")
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"the list of sources {path} cannot be read: {error}") from error
        found |= _sources(text, str(path))
    return found


def _sources(text: str, where: str) -> dict[str, Source]:
    try:
        listed = [_source(each) for each in json.loads(text)["sources"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ModelError) as error:
        raise ModelError(
            f"{where} is no list of sources: {error}; expected "
            '{"sources": [{"name", "url", "sha256", "size", "licence", "kind"}]}'
        ) from error
    return {source.name: source for source in listed}


def _source(content: Mapping[str, Any]) -> Source:
    return Source(
        name=str(content["name"]),
        address=str(content["url"]),
        sha256=str(content["sha256"]).lower(),
        size=int(content["size"]),
        licence=str(content["licence"]),
        kind=str(content["kind"]),
        settings=dict(content.get("settings", {})),
    )


def fetch(
    name: str,
    sources: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Model:
    """Fetch a listed model and install it.

    A download that was cut off goes on where it stopped. Nothing of the file is opened before its
    size and hash are right.

    Parameters
    ----------
    name
        In the list.
    sources
        A list beside the shipped one.
    progress
        Told bytes so far and in all.

    Raises
    ------
    NotFoundError
        If it is not in the list.
    ModelError
        If it cannot be fetched, or is not the file that was listed; the message says how to do it
        by hand.
    """
    listed = read_sources(sources)
    if name not in listed:
        raise NotFoundError(
            f"{name!r} is in no list of sources; listed are {', '.join(sorted(listed)) or 'none'}. "
            "List it (--sources FILE), or download it and run: delineate models add FILE"
        )
    source = listed[name]
    folder = store.models_folder() / ".downloads"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{source.sha256}.partial"
    try:
        _download(source, partial, progress or (lambda done, whole: None))
    except (OSError, HTTPException, ValueError) as error:
        raise ModelError(
            f"{source.address} cannot be fetched: {error}. What has come so far is kept; try "
            f"again, or by hand: download it and run: delineate models add FILE --name {name}"
        ) from error
    _verify(source, partial)
    model = store.add(partial, source.name, source.settings)
    partial.unlink()
    return model


def _download(source: Source, partial: Path, progress: Callable[[int, int], None]) -> None:
    """Bring the partial file to its listed size."""
    done = partial.stat().st_size if partial.exists() else 0
    if done > source.size:
        partial.unlink()
        done = 0
    if done == source.size:
        return
    request = urllib.request.Request(source.address)  # noqa: S310  https alone, see Source
    request.add_header("User-Agent", "delineate")
    request.add_header("Accept-Encoding", "identity")
    if done:
        request.add_header("Range", f"bytes={done}-")
    opener = urllib.request.build_opener(_Redirects)
    with opener.open(request, timeout=_TIMEOUT_S) as answer:
        resumed = answer.status == 206 and _starts_at(answer, done)
        done = done if resumed else 0
        with partial.open("ab" if resumed else "wb") as out:
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                if done > source.size:
                    raise ValueError(f"more than the listed {source.size} bytes come")
                out.write(chunk)
                progress(done, source.size)
    if done < source.size:
        raise ValueError(f"it ended after {done} of {source.size} bytes")


def _starts_at(answer: Any, done: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {done}-")


def _verify(source: Source, partial: Path) -> None:
    digest = hashlib.sha256()
    with partial.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != source.sha256:
        partial.unlink()
        raise ModelError(
            f"what came from {source.address} has sha256 {digest.hexdigest()}, the list says "
            f"{source.sha256}; it was not opened and is deleted. If the maker published a new "
            "version, check it and list its hash"
        )


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise ValueError(f"expected an https address, got {address!r}")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https alone; from this machine itself also to itself."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The next request, or ValueError."""
        _check_address(newurl)
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise ValueError(f"it is redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
