"""napari itself, in a window: open, run here and on a server, cancel, write, open what was written.

``make test-napari`` runs these: napari has an environment of its own, and needs a display.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from service import Service, odd_detectors, service

from delineate.errors import InputError
from delineate.formats import dicom
from delineate.imaging import Grid, Image

__all__ = ["odd_detectors"]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    napari = pytest.importorskip("napari", reason="napari is not here; run: make test-napari")
if not os.environ.get("DISPLAY"):
    pytest.skip("napari needs a display; run: make test-napari", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")  # what napari and Qt warn of is not ours

BRIGHT = (slice(5, 9), slice(8, 20), slice(6, 14))  # near the head, the front, the right


def block() -> Image:
    """A CT with a bright block, more than 100 HU."""
    array = np.full((10, 40, 40), 0, np.int16)
    array[BRIGHT] = 300
    return Image(array, Grid.regular((10, 40, 40), (8.0, 2.0, 2.0), (-40.0, -40.0, 100.0)), "CT")


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ct")
    dicom.write_series(block(), folder)
    return folder


@pytest.fixture(scope="module")
def installed(odd_detectors: Path) -> Iterator[None]:
    """The odd detectors, for this process as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(odd_detectors))
        patch.syspath_prepend(str(Path(__file__).parents[1] / "jobs"))
        yield


@pytest.fixture(scope="module")
def server(odd_detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("napari") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def window() -> Iterator[Any]:
    opened = napari.Viewer(show=True)
    opened.window.resize(1300, 800)
    yield opened
    opened.close()


@pytest.fixture
def viewer(window: Any, ct: Path, installed: None) -> Iterator[Any]:
    """The window with the series, and nothing else."""
    window.open(str(ct), plugin="delineate")
    window.reset_view()
    yield window
    window.window.remove_dock_widget("all")
    window.layers.clear()


def pump(until: Callable[[], object], seconds: float = 120.0) -> None:
    """Let the window live until something is so."""
    from qtpy.QtWidgets import QApplication

    deadline = time.monotonic() + seconds
    QApplication.processEvents()
    while not until():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
        QApplication.processEvents()


def panel(viewer: Any, title: str, detector: str = "test.bright") -> Any:
    _, made = viewer.window.add_plugin_dock_widget("delineate", title)
    if title == "Run a detector":
        made.detector.value = detector
    return made


def run(made: Any) -> None:
    made.run.native.click()
    pump(lambda: made.run.enabled)


def seen(viewer: Any) -> NDArray[np.int_]:
    """``(row, column, 3)`` of the canvas, once the window has found its shape."""
    for _ in range(20):
        pump(lambda: True)
    return np.asarray(viewer.screenshot(canvas_only=True, flash=False))[..., :3].astype(int)


def box(mask: NDArray[np.bool_]) -> list[int]:
    rows, columns = np.nonzero(mask)
    return [int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())]


def coloured(pixels: NDArray[np.int_]) -> NDArray[np.bool_]:
    return np.asarray(np.ptp(pixels, axis=-1) > 60)


def test_a_run_here_is_drawn_around_what_is_there(viewer: Any) -> None:
    made = panel(viewer, "Run a detector")

    run(made)

    viewer.dims.set_point(0, 100 + 8.0 * 6)
    viewer.reset_view()
    viewer.layers[1].visible = False
    bright = box(seen(viewer).min(axis=-1) > 200)
    viewer.layers[1].visible = True
    assert made.status.value == "1 found"
    assert [layer.name for layer in viewer.layers][1:] == ["bright"]
    np.testing.assert_array_equal(viewer.layers[1].data > 0, block().array > 100)
    np.testing.assert_allclose(box(coloured(seen(viewer))), bright, atol=4)
    middle = np.array(seen(viewer).shape[:2]) / 2
    assert bright[1] < middle[0]  # the front is on top
    assert bright[3] < middle[1]  # the patient's right is on the left


def test_seen_from_the_front_the_head_is_on_top(viewer: Any) -> None:
    panel(viewer, "Run a detector")
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, -40.0 + 2.0 * 14)
    viewer.reset_view()
    try:
        pixels = seen(viewer).min(axis=-1)
        shown, bright = box(pixels >= 0), box(pixels > 200)
        assert bright[0] + bright[1] < shown[0] + shown[1]
    finally:
        viewer.dims.order = (0, 1, 2)


def test_a_run_tells_how_far_it_is_and_stops_when_told(viewer: Any) -> None:
    made = panel(viewer, "Run a detector")
    made.form["seconds"].value = "60"

    made.run.native.click()
    pump(lambda: 0 < made.progress.value < 100 and made.status.value == "looking")
    began = time.monotonic()
    made.cancel.native.click()
    pump(lambda: made.run.enabled)

    assert time.monotonic() - began < 30
    assert made.status.value == "Cancelled: cancelled"
    assert len(viewer.layers) == 1


def test_what_is_typed_wrongly_is_told_in_the_panel(viewer: Any) -> None:
    made = panel(viewer, "Run a detector")
    made.form["threshold"].value = "many"

    run(made)

    assert "threshold" in made.status.value
    assert len(viewer.layers) == 1


def test_a_run_on_a_server_gives_the_same(viewer: Any, server: Service) -> None:
    made = panel(viewer, "Run a detector on a server")
    made.url.value = server.url
    made.connect_.native.click()
    assert "detectors there" in made.status.value
    made.detector.value = "test.bright"

    run(made)

    assert made.status.value == "1 found"
    np.testing.assert_array_equal(viewer.layers[1].data > 0, block().array > 100)


def test_a_server_that_is_not_there_is_told(viewer: Any) -> None:
    made = panel(viewer, "Run a detector on a server")
    made.url.value = "http://127.0.0.1:9"
    made.connect_.native.click()

    assert "127.0.0.1:9" in made.status.value


def test_what_was_found_is_written_and_opens_in_its_place(viewer: Any, tmp_path: Path) -> None:
    run(panel(viewer, "Run a detector"))
    found = viewer.layers[1]

    for name in ("found.dcm", "found.seg.dcm", "found.nii.gz"):
        (written,) = found.save(str(tmp_path / name), plugin="delineate")
        (back,) = viewer.open(written, plugin="delineate")

        whole = np.zeros(found.data.shape, bool)
        offset = np.rint(found.world_to_data(back.data_to_world((0, 0, 0)))).astype(int)
        inside = tuple(slice(o, o + n) for o, n in zip(offset, back.data.shape, strict=True))
        whole[inside] = back.data > 0
        np.testing.assert_array_equal(whole, found.data > 0, err_msg=name)
        assert list(back.features["name"]) == ["background", "bright"], name


def test_outlines_become_shapes_along_the_edges_of_the_samples(viewer: Any) -> None:
    run(panel(viewer, "Run a detector"))
    made = panel(viewer, "Outlines as shapes")

    made.call_button.native.click()
    pump(lambda: len(viewer.layers) == 3)

    rings = viewer.layers[2].data
    assert len(rings) == 4
    for axis, part in enumerate(BRIGHT[1:], 1):
        assert {ring[:, axis].min() for ring in rings} == {part.start - 0.5}
        assert {ring[:, axis].max() for ring in rings} == {part.stop - 0.5}
    np.testing.assert_allclose(viewer.layers[2].affine.affine_matrix, viewer.layers[1].affine)


def test_outlines_of_a_series_that_is_not_open_are_shown_on_no_other(
    viewer: Any, tmp_path: Path
) -> None:
    run(panel(viewer, "Run a detector"))
    viewer.layers[1].save(str(tmp_path / "found.dcm"), plugin="delineate")
    viewer.layers.clear()
    dicom.write_series(block(), tmp_path / "other", seed="another patient")
    viewer.open(str(tmp_path / "other"), plugin="delineate")

    with pytest.raises(InputError, match="give the image they were drawn on"):
        viewer.open(str(tmp_path / "found.dcm"), plugin="delineate")

    assert len(viewer.layers) == 1


def test_the_manifest_names_what_is_there() -> None:
    npe2 = pytest.importorskip("npe2")

    manifest = npe2.PluginManifest.from_distribution("delineate")

    manifest.validate_imports()
    assert len(manifest.contributions.widgets) == 3
