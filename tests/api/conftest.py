"""Detectors for the service are installed for the whole session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from service import install_detectors


@pytest.fixture(scope="session")
def odd_detectors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the odd detectors for processes started from now on."""
    folder = tmp_path_factory.mktemp("site")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = install_detectors(folder)
    yield folder
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
