"""One service for all tests of its client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from service import Service, odd_detectors, service

__all__ = ["odd_detectors"]


@pytest.fixture(scope="session")
def running(odd_detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one worker."""
    with service(tmp_path_factory.mktemp("service") / "data") as one:
        yield one
