"""``delineate dicomweb``: send files to a DICOMweb server, fetch series from one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from delineate.cli.screen import output
from delineate.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from delineate.jobs.dicom_client import Remote

__all__ = ["dicomweb"]

dicomweb = typer.Typer(
    help="Send DICOM files to a DICOMweb server, or fetch series from one.", no_args_is_help=True
)

_Url = Annotated[
    str, typer.Argument(help="Root of the server's DICOMweb, such as http://host:8042/dicom-web.")
]
_Authorization = Annotated[
    Path | None,
    typer.Option(help="File that holds the Authorization header, such as: Bearer KEY."),
]
_Ca = Annotated[Path | None, typer.Option(help="Certificates to trust, PEM.")]


@dicomweb.command()
def push(
    url: _Url,
    files: Annotated[list[Path], typer.Argument(help="DICOM files, or folders of them.")],
    authorization_file: _Authorization = None,
    ca_file: _Ca = None,
) -> None:
    """Send DICOM files, by STOW-RS."""
    paths = list(_dicom_files(files))
    if not paths:
        raise InputError("there is no DICOM file among these; give files that begin as PS3.10 says")
    with _remote(url, authorization_file, ca_file) as remote:
        count = remote.store(paths)
    output.print(f"{count} instances sent", highlight=False)


@dicomweb.command()
def pull(
    url: _Url,
    study: Annotated[str, typer.Option(help="StudyInstanceUID.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    series: Annotated[str | None, typer.Option(help="SeriesInstanceUID; all if left out.")] = None,
    authorization_file: _Authorization = None,
    ca_file: _Ca = None,
) -> None:
    """Fetch the series of a study, by QIDO-RS and WADO-RS, as they are stored."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise InputError(f"{out} is not empty; name a folder that is, or a new one")
    with _remote(url, authorization_file, ca_file) as remote:
        wanted = [series] if series else remote.series_of(study)
        for number, one in enumerate(wanted, start=1):
            folder = _Folder(out / f"series{number}")
            try:
                remote.retrieve(study, one, folder)
            finally:
                folder.end()
            output.print(f"{folder.path}: {folder.count} instances of {one}", highlight=False)


class _Folder:
    """Keeps what comes as files of a folder."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path, self.count = path, 0
        self._file: BinaryIO | None = None

    def start(self, name: str) -> None:
        """Begin a file, under a name of our own."""
        self.end()
        self.count += 1
        self._file = (self.path / f"{self.count:06d}.dcm").open("wb")

    def write(self, data: bytes) -> None:
        """Append to it."""
        assert self._file is not None
        self._file.write(data)

    def end(self) -> None:
        """Complete it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _remote(url: str, authorization_file: Path | None, ca_file: Path | None) -> Remote:
    from pydantic import ValidationError

    try:
        from delineate.jobs.dicom_client import Remote
        from delineate.jobs.rules import Server
    except ImportError as error:
        raise MissingExtraError(
            f"this needs a package that is missing ({error.name}); "
            "install it with: pip install 'delineate[all]'"
        ) from error
    try:
        told = {"url": url, "authorization_file": authorization_file, "ca_file": ca_file}
        server = Server.model_validate({"name": "server", **told})
    except ValidationError:
        raise InputError(f"{url[:200]!r} is no address; such as http://host/dicom-web is") from None
    return Remote(server)


def _dicom_files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if one.is_file():
                with one.open("rb") as file:
                    if file.read(132)[128:] == b"DICM":
                        yield one
