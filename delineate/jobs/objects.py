"""Folders in object storage: published whole or not at all, verified when they are fetched.

Below a prefix lie the files of a folder and, written last, ``manifest.json`` with the size and
SHA-256 of each. Without a manifest there is nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.errors import CorruptStorageError, UnavailableError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["Objects"]

_MANIFEST = "manifest.json"
_AT_ONCE = 8
_CHUNK = 4 * 2**20


class Objects:
    """An object store, below the prefix of its URL.

    Parameters
    ----------
    url
        ``s3://bucket/prefix`` with the usual ``AWS_*`` variables, or ``file:///folder``.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def publish(self, folder: Path, prefix: str) -> None:
        """Copy the files of a folder there; again, for one that is there already, does nothing.

        Raises
        ------
        UnavailableError
            If the storage does not take it; then nothing counts as published.
        """
        import obstore

        store = _opened(self._url)
        if self.has(prefix):
            return
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]

        def put(path: Path) -> tuple[str, dict[str, Any]]:
            name = path.relative_to(folder).as_posix()
            obstore.put(store, f"{prefix}/{name}", path)
            return name, {"bytes": path.stat().st_size, "sha256": _digest(path)}

        with _told(self._url), ThreadPoolExecutor(_AT_ONCE) as threads:
            manifest = json.dumps(dict(threads.map(put, paths)))
            obstore.put(store, f"{prefix}/{_MANIFEST}", manifest.encode())

    def has(self, prefix: str) -> bool:
        """Whether something is published there."""
        return self.published(prefix) is not None

    def published(self, prefix: str) -> datetime | None:
        """When it was published; ``None``: it is not."""
        import obstore

        with _told(self._url), suppress(FileNotFoundError):
            found: datetime = obstore.head(_opened(self._url), f"{prefix}/{_MANIFEST}")[
                "last_modified"
            ]
            return found
        return None

    def read(self, prefix: str, name: str) -> bytes | None:
        """One small file of what is published there, verified; ``None``: nothing is."""
        manifest = self._manifest(prefix)
        if manifest is None:
            return None
        contents = self._get(f"{prefix}/{name}")
        self._verify(f"{prefix}/{name}", hashlib.sha256(contents).hexdigest(), manifest[name])
        return contents

    def fetch(self, prefix: str, folder: Path, scratch: Path) -> bool:
        """Copy what is published there to ``folder``, whole or not at all.

        Parameters
        ----------
        folder
            Its parent is made; if another process is quicker, its copy stays.
        scratch
            Where to build it, on the same file system.

        Returns
        -------
        bool
            ``False`` if nothing is published there.

        Raises
        ------
        CorruptStorageError
            If a file is not what was published.
        """
        manifest = self._manifest(prefix)
        if manifest is None:
            return False
        partial = scratch / secrets.token_hex(12)
        try:
            partial.mkdir(parents=True)
            with ThreadPoolExecutor(_AT_ONCE) as threads:
                tasks = [
                    threads.submit(self._copy, f"{prefix}/{name}", partial / name, told)
                    for name, told in manifest.items()
                ]
                for task in tasks:
                    task.result()
            folder.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # not empty: somebody was quicker
                partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return True

    def remove(self, prefix: str) -> None:
        """Remove what is published below a prefix, manifests first: from then on nothing is."""
        import obstore

        with _told(self._url):
            store = _opened(self._url)
            paths = [one["path"] for page in obstore.list(store, prefix) for one in page]
            last = sorted(paths, key=lambda path: not path.endswith(f"/{_MANIFEST}"))
            manifests = [path for path in last if path.endswith(f"/{_MANIFEST}")]
            for some in (manifests, last[len(manifests) :]):
                with suppress(FileNotFoundError):
                    if some:
                        obstore.delete(store, some)

    def names(self, prefix: str) -> list[str]:
        """The folders right below a prefix, published or not, in order."""
        import obstore

        with _told(self._url):
            found = obstore.list_with_delimiter(_opened(self._url), prefix)["common_prefixes"]
        return sorted(one.rstrip("/").rsplit("/", 1)[-1] for one in found)

    def _manifest(self, prefix: str) -> dict[str, dict[str, Any]] | None:
        with suppress(FileNotFoundError):
            manifest: dict[str, dict[str, Any]] = json.loads(self._get(f"{prefix}/{_MANIFEST}"))
            return manifest
        return None

    def _get(self, path: str) -> bytes:
        import obstore

        with _told(self._url):
            return bytes(obstore.get(_opened(self._url), path).bytes())

    def _copy(self, path: str, target: Path, told: dict[str, Any]) -> None:
        import obstore

        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with _told(self._url), target.open("wb") as file:
            for chunk in obstore.get(_opened(self._url), path).stream(min_chunk_size=_CHUNK):
                digest.update(chunk)
                file.write(chunk)
        self._verify(path, digest.hexdigest(), told)

    def _verify(self, path: str, digest: str, told: dict[str, Any]) -> None:
        if digest != told["sha256"]:
            raise CorruptStorageError(
                f"{path} in the storage has the SHA-256 {digest[:16]}..., and "
                f"{told['sha256'][:16]}... was published; restore it from a backup"
            )


@cache
def _opened(url: str) -> ObjectStore:
    from obstore.store import LocalStore, from_url

    if url.startswith("file://"):
        return LocalStore(url.removeprefix("file://"), mkdir=True, automatic_cleanup=True)
    return from_url(url)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Tell what the storage says without its request: headers may hold keys."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        raise UnavailableError(
            f"the storage {url} does not answer as expected ({type(error).__name__}); "
            "see that it runs, that its address is right, and that the key may write there"
        ) from error
