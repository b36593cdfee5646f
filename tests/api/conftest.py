"""One service for all tests of the calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from service import Service, odd_detectors, series, service

__all__ = ["odd_detectors"]


@pytest.fixture(scope="session")
def running(odd_detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one worker."""
    with service(tmp_path_factory.mktemp("service") / "data") as one:
        yield one


@pytest.fixture(scope="session")
def ct_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small CT as DICOM files."""
    return series(tmp_path_factory.mktemp("ct"))


@pytest.fixture(scope="session")
def ct_id(running: Service, ct_files: list[Path]) -> str:
    """Id of the small CT, uploaded."""
    return str(running.upload(ct_files).raise_for_status().json()["id"])
