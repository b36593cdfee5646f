"""A page whose service asks for keys: signing in, all of it with a session, signing out."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from looking import Looking

from delineate.formats import dicom
from delineate.imaging import Grid, Image

pytestmark = pytest.mark.browser


@pytest.fixture
def guarded(page_detectors: None, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address of a service with keys, and one of them."""
    if not (Path(str(files("delineate.viewers"))) / "web" / "index.html").is_file():
        pytest.skip("the page is not built; in web/ run: npm ci && npm run build")
    from delineate.jobs import Settings, engine, running
    from delineate.jobs.keys import KeyRing

    data = tmp_path / "data"
    database = engine.prepare(Settings(data=data))
    _, key = KeyRing(database).add("anna", "local", ["read", "upload", "run"])
    database.dispose()
    with running(data=data, patience=180) as address:
        yield address, key


def test_with_a_key_the_page_works_as_without_keys(
    chromium: object, guarded: tuple[str, str], tmp_path: Path
) -> None:
    url, key = guarded
    array = np.full((12, 40, 48), -100, np.int16)
    array[4:8, 10:20, 12:30] = 400
    grid = Grid.regular(array.shape, (4.0, 2.0, 2.0), (-48.0, -40.0, 0.0))
    series = dicom.write_series(Image(array, grid, "CT"), tmp_path / "series")
    context = chromium.new_context()  # type: ignore[attr-defined]
    look = Looking(context.new_page(), url)

    look.open()
    look.state("login")
    look.one("key").fill("dlk_0123456789abcdef_wrong")
    look.one("key").press("Enter")
    look.one("login-message").filter(has_text="not known").wait_for()
    look.one("key").fill(key)
    look.one("key").press("Enter")
    look.state("idle")
    look.find(series, "page.cube")
    assert look.row("cube_left").get_attribute("data-contours") == "4"
    with look.page.expect_download() as download:
        look.page.locator("a[href$='exports/rtstruct']").click()
    assert Path(download.value.path()).read_bytes()[128:132] == b"DICM"
    assert look.page.evaluate("document.cookie") == ""
    assert look.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})") == "{}"
    address = look.page.url

    look.one("sign-out").click()
    look.state("login")
    look.page.goto("about:blank")
    look.page.goto(address)
    look.state("login")
    context.close()
    assert look.complaints == []
