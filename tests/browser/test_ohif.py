"""The unmodified OHIF shows a CT of our node with its RTSTRUCT and its SEG where they belong."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow
from service import Service, odd_detectors, series, service, until

from delineate.cli import ohif_files
from delineate.cli.ohif import serving
from delineate.errors import NotFoundError
from delineate.imaging import Grid, Image

__all__ = ["odd_detectors"]

pytestmark = pytest.mark.browser

SERIES = "/dicomweb/series"


def block() -> Image:
    """A CT with a bright block, nearer to the patient's right and front, in every slice."""
    array = np.full((4, 64, 64), 30, np.int16)
    array[:, 12:36, 10:26] = 240
    return Image(array, Grid.regular((4, 64, 64), (5.0, 3.0, 3.0), (-96.0, -96.0, 0.0)), "CT")


@pytest.fixture(scope="module")
def viewer() -> Path:
    try:
        return ohif_files.viewer()
    except NotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def node(
    viewer: Path, odd_detectors: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with that CT and what was found on it."""
    folder = tmp_path_factory.mktemp("ohif")
    with service(folder / "data") as running:
        image = running.upload(series(folder / "ct", block())).raise_for_status().json()
        running.wait(running.submit(image["id"])["id"], "done")
        until(lambda: {"SEG", "RTSTRUCT"} <= set(modalities(running)) or None)
        yield running


def modalities(node: Service) -> list[str]:
    return [one["00080060"]["Value"][0] for one in node.client.get(SERIES).json()]


@pytest.mark.parametrize("modality", ["RTSTRUCT", "SEG"])
def test_ohif_draws_what_was_found_around_what_is_there(
    viewer: Path, node: Service, chromium: Any, modality: str
) -> None:
    study = node.client.get("/dicomweb/studies").json()[0]["0020000D"]["Value"][0]
    elsewhere: list[str] = []
    with serving(viewer, node.url, study=study) as address:
        page = chromium.new_context(viewport={"width": 900, "height": 700}).new_page()
        page.set_default_timeout(120_000.0)
        page.on("request", lambda one: elsewhere.append(one.url) if _far(one.url) else None)
        page.goto(address)
        page.get_by_text("Skip all").click()
        page.get_by_text("Confirm and hide").click()
        plain = _shown(page)
        page.locator("[data-cy^=study-browser-thumbnail]", has_text=modality).dblclick()
        page.get_by_text("Yes", exact=True).click()
        drawn = until(lambda: found if (found := _coloured(_shown(page))).any() else None)
        page.context.close()

    bright = plain.min(axis=-1) > 180
    assert bright.any()
    np.testing.assert_allclose(_box(drawn), _box(bright), atol=3)
    assert elsewhere == []


def _far(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "blob:", "data:"))


def _shown(page: Any) -> NDArray[np.uint8]:
    """The middle of the slice as it is shown, without the texts at its edges."""
    box = until(page.locator("canvas").last.bounding_box)  # there is none while OHIF puts it anew
    inner = {
        "x": box["x"] + box["width"] * 0.2,
        "y": box["y"] + box["height"] * 0.15,
        "width": box["width"] * 0.6,
        "height": box["height"] * 0.7,
    }
    return np.array(Pillow.open(io.BytesIO(page.screenshot(clip=inner))).convert("RGB"))


def _coloured(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.ptp(pixels.astype(int), axis=-1) > 60


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """First and last row and column."""
    rows, columns = np.nonzero(mask)
    return int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())
