"""A database server, odd detectors, and one running node for all of these tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgresql import server
from service import Service, odd_detectors, series, service

__all__ = ["odd_detectors", "server"]

RULES = """
[[server]]
name = "closed"
url = "http://127.0.0.1:9/dicom-web"

[[server]]
name = "orthanc"
url = "http://127.0.0.1:{port}/dicom-web"

[[rule]]
name = "bright"
match = {{ Modality = "CT", SeriesDescription = "*rule*" }}
detector = "test.bright"
priority = 7

[[rule]]
name = "from-orthanc"
match = {{ Modality = "CT", SeriesDescription = "*Orthanc*" }}
detector = "test.bright"
push = {{ server = "orthanc", formats = ["seg", "rtstruct"] }}
"""


@pytest.fixture(scope="session")
def orthanc_port() -> int:
    """A port that is free, for the server that the rules name."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def node(
    odd_detectors: Path, orthanc_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service whose rules start a job for CT series described so."""
    folder = tmp_path_factory.mktemp("node")
    rules = folder / "rules.toml"
    rules.write_text(RULES.format(port=orthanc_port))
    with service(
        folder / "data", rules=str(rules), series_quiet_seconds=0.5, dicom_delete=True
    ) as running:
        yield running


@pytest.fixture
def ct_files(tmp_path: Path) -> list[Path]:
    """A CT whose UIDs are its own."""
    return series(tmp_path / "ct", seed=tmp_path.name)
