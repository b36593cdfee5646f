"""Packages that look installed: folders with real metadata on ``sys.path``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package: ``install("name", {"point": "module:variable"}, module="source")``."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def install(package: str, points: dict[str, str], **modules: str) -> Path:
        metadata = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0")
        lines = [f"{name} = {value}" for name, value in points.items()]
        entry_points = "\n".join(["[delineate.detectors]", *lines])
        (metadata / "entry_points.txt").write_text(entry_points + "\n")
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        return tmp_path

    yield install
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
