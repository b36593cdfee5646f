"""One service for all tests of the protocol of MONAI Label."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from label_detectors import NAMES
from service import Service, service


@pytest.fixture(scope="session")
def label_site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """``PYTHONPATH`` with the detectors of ``label_detectors`` installed."""
    site = tmp_path_factory.mktemp("label-site")
    info = site / "label_detectors-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: label-detectors\nVersion: 1.0\n")
    points = "".join(f"label-{name} = label_detectors:{name}\n" for name in NAMES)
    (info / "entry_points.txt").write_text(f"[delineate.detectors]\n{points}")
    places = [str(site), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(place for place in places if place)


@pytest.fixture(scope="session")
def facade(label_site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one worker and the detectors of ``label_detectors``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", label_site)
        data = tmp_path_factory.mktemp("facade") / "data"
        with service(data, series_quiet_seconds=1.0) as one:
            yield one
