"""A database server, odd detectors, and one running node for all of these tests."""

from __future__ import annotations

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

[[rule]]
name = "bright"
match = { Modality = "CT", SeriesDescription = "*rule*" }
detector = "test.bright"
priority = 7
"""


@pytest.fixture(scope="session")
def node(odd_detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose rule starts a job for CT series described so."""
    folder = tmp_path_factory.mktemp("node")
    rules = folder / "rules.toml"
    rules.write_text(RULES)
    with service(
        folder / "data", rules=str(rules), series_quiet_seconds=0.5, dicom_delete=True
    ) as running:
        yield running


@pytest.fixture
def ct_files(tmp_path: Path) -> list[Path]:
    """A CT whose UIDs are its own."""
    return series(tmp_path / "ct", seed=tmp_path.name)
