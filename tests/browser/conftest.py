"""A running service with its page, and a browser that looks at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import example_packages
import page_detectors as detectors
import pytest
from looking import Looking


@pytest.fixture(scope="session")
def page_detectors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have the detectors of these tests installed for processes started from now on."""
    site = tmp_path_factory.mktemp("page-site")
    examples = [
        place
        for name in ("classify", "restore")
        for place in example_packages.install(name, site / name)
    ]
    places = [*detectors.install(site), *examples, os.environ.get("PYTHONPATH", "")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(place for place in places if place))
        yield


@pytest.fixture(scope="session")
def url(page_detectors: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service with one worker and the built page."""
    if not (Path(str(files("delineate.viewers"))) / "web" / "index.html").is_file():
        pytest.skip("the page is not built; in web/ run: npm ci && npm run build")
    from delineate.jobs import running

    with running(data=tmp_path_factory.mktemp("page") / "data") as address:
        yield address


@pytest.fixture
def look(chromium: object, url: str) -> Iterator[Looking]:
    """The page, just opened; it must not complain about anything."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})  # type: ignore[attr-defined]
    looking = Looking(context.new_page(), url)
    looking.open()
    yield looking
    context.close()
    assert looking.complaints == []
