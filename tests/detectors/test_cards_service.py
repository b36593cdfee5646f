"""Cards of another delineate service: a real one, whose own detectors are cards of ONNX files."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from card_files import names, picture, pointwise, save
from card_servers import card_file
from hypothesis import HealthCheck, given, settings
from onnx import helper
from service import Service, ct, odd_detectors, series, service, until
from strategies import labelmaps

from delineate import delineate, read
from delineate.detectors.cards import store
from delineate.detectors.cards.service import ServiceDetector
from delineate.errors import (
    BadDetectionError,
    Cancelled,
    DetectorError,
    ModelError,
    OptionError,
    UnsuitableImageError,
)
from delineate.imaging import Grid, Image, LabelMap
from delineate.plugins import Classes, Field, Instances, Masks, Monitor, registry
from delineate.plugins.host import Host

__all__ = ["odd_detectors"]

VOLUME = {"input": {"layout": "NCDHW"}}
COLOURED = {"wants": {"channels": 3}}
OBLIQUE = Grid(
    (6, 7, 8),
    np.array(
        [
            [0.3, 0.05, -0.6, 40.0],
            [2.0, -0.4, 0.1, -123.4],
            [-1.9, -0.5, -0.2, 9.5],
            [0, 0, 0, 1.0],
        ]
    ),
)


def _install(folder: Path, name: str, part: dict[str, Any], **said: Any) -> None:
    document = {
        "schema": "delineate/card/1",
        "id": f"there.{name}",
        "title": name,
        "licence": "MIT",
        "onnx": {"file": "net.onnx", "input": {}, **part},
        **said,
    }
    (folder / "card.json").write_text(json.dumps(document))
    store.add(folder)


def _install_all(scratch: Path) -> None:
    """A card of each kind."""

    def folder(name: str) -> Path:
        made = scratch / name
        made.mkdir()
        return made

    labels = folder("labels")
    pointwise(labels / "net.onnx", (0.0, 10.0, 20.0), (0.0, -5.0, -20.0), axes=3)
    output: dict[str, Any] = {"form": "labels"}
    categories = [{"name": "one", "colour": "#010203"}, {"name": "two"}]
    part = {**VOLUME, "output": output}
    _install(labels, "labels", part, gives="labelmap", categories=categories)

    masks = folder("masks")
    pointwise(masks / "net.onnx", (10.0, 10.0), (-5.0, -15.0), axes=3)
    part = {**VOLUME, "output": {"form": "masks"}}
    _install(masks, "masks", part, gives="masks", categories=names("any", "two"))

    same = [helper.make_node("Identity", ["x"], ["y"])]
    field = folder("field")
    save(field / "net.onnx", same, [1, 1, "d", "h", "w"], {"y": [1, 1, "d", "h", "w"]})
    output = {"form": "field", "meaning": "value", "threshold": 1.5}
    part = {**VOLUME, "output": output}
    _install(field, "field", part, gives="field", categories=names("high"))

    peaks = folder("peaks")
    pointwise(peaks / "net.onnx", (0.25,), (0.0,), axes=3)
    output = {"form": "peaks", "activation": "none", "distance": 1, "threshold": 0.2}
    part = {**VOLUME, "output": output}
    counted = {"task": "counting", "count_error": {"per_item": 4.0, "relative": 0.0}}
    _install(peaks, "peaks", part, gives="instances", categories=names("spot"), **counted)

    finer = folder("finer")
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="nearest")
    scales = {"s": np.array([1, 1, 2, 2, 2], np.float32)}
    shape: list[int | str | None] = [1, 1, "d", "h", "w"]
    save(finer / "net.onnx", [node], shape, {"y": [1, 1, "a", "b", "c"]}, scales)
    part = {**VOLUME, "output": {"form": "image", "factor": 2}}
    _install(finer, "finer", part, gives="image")

    colours = folder("colours")
    pointwise(colours / "net.onnx", (10.0,), (-5.0,), channels=3)
    part = {"output": {"form": "masks", "threshold": 0.5}}
    _install(colours, "colours", part, gives="masks", categories=names("light"), **COLOURED)

    kind = folder("kind")
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["y"]),
    ]
    save(kind / "net.onnx", nodes, [1, 3, "h", "w"], {"y": [1, 3]})
    part = {"output": {"form": "classes"}}
    categories = names("red", "green", "blue")
    _install(kind, "kind", part, gives="classes", categories=categories, **COLOURED)


@pytest.fixture(scope="module")
def there(odd_detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The other service."""
    folder = tmp_path_factory.mktemp("there")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(store.VARIABLE, str(folder / "cards"))
        _install_all(folder)
        with service(folder / "data") as running:
            yield running


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cards"))


def added(folder: Path, there: Service, detector: str, **said: Any) -> str:
    part = {"url": there.url, "detector": detector, "timeout_s": 60.0}
    return store.add(card_file(folder, delineate=part, **said)).name


def scan(grid: Grid = OBLIQUE, modality: str = "MR") -> Image:
    array = np.zeros(grid.shape, np.float32)
    array[1, 2, 3], array[3:5, 1, :2], array[5, 6, 7] = 1, 2, 3
    return Image(array, grid, modality)


@settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(labelmaps(max_label=2))
def test_labels_come_back_on_the_samples_they_are_on(
    there: Service, tmp_path_factory: pytest.TempPathFactory, drawn: LabelMap
) -> None:
    folder = tmp_path_factory.mktemp("card")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(store.VARIABLE, str(folder / "cards"))
        name = added(folder, there, "there.labels")

        found = delineate(Image(drawn.array, drawn.grid), name).output

    assert isinstance(found, LabelMap)
    np.testing.assert_array_equal(found.array, drawn.array)
    assert found.grid.matches(drawn.grid)


def test_the_card_is_filled_in_by_what_the_service_tells(there: Service, tmp_path: Path) -> None:
    spec = registry.find(added(tmp_path, there, "test.bright"))

    assert (spec.task, spec.gives, spec.version) == ("segmentation", "labelmap", "1")
    assert (spec.wants.modalities, spec.wants.unit, spec.wants.min_slices) == (("CT",), "mm", 3)
    properties = spec.options.model_json_schema()["properties"]
    assert properties["threshold"] == {
        "default": 100.0,
        "description": "From this value on.",
        "maximum": 4000,
        "minimum": -2000,
        "title": "Threshold",
        "type": "number",
    }
    learned = registry.find(added(tmp_path, there, "there.labels", id="test.learned"))
    assert learned.categories[0].colour == (1, 2, 3)
    assert learned.weights[0].name == "there.labels/net.onnx"


def test_options_are_checked_here_and_taken_there(there: Service, tmp_path: Path) -> None:
    name = added(tmp_path, there, "test.bright")
    image = scan(modality="CT")
    with pytest.raises(OptionError, match="threshold"):
        delineate(image, name, {"threshold": 5000})

    with Host(registry.find(name)) as host:
        counts = [
            delineate(image, name, {"threshold": t}, runner=host).findings[0].measurements["voxels"]
            for t in (1, 2, "3")
        ]

    assert counts == [6, 5, 1]


def test_all_that_the_service_tells_of_a_finding_comes_with_it(
    there: Service, tmp_path: Path
) -> None:
    found = delineate(scan(), added(tmp_path, there, "there.labels"))

    one, two = found.findings
    assert one.score == pytest.approx(np.exp(5.0) / (2 + np.exp(5.0)))  # of logits 0, 5, 0
    assert one.notes == ()
    assert two.notes == ("cut by the field of view",)  # once, not by both
    assert found.provenance.device == f"{there.url.split('/')[2]} cpu (onnxruntime)"
    assert f"{there.url.split('/')[2]} delineate" in found.provenance.versions


def test_masks_come_back(there: Service, tmp_path: Path) -> None:
    image = scan()

    found = delineate(image, added(tmp_path, there, "there.masks")).output

    assert isinstance(found, Masks)
    assert [category.name for category in found.categories] == ["any", "two"]
    np.testing.assert_array_equal(found.array[0], image.array >= 1)
    np.testing.assert_array_equal(found.array[1], image.array >= 2)


def test_a_field_comes_back_with_what_it_means(there: Service, tmp_path: Path) -> None:
    image = scan()

    found = delineate(image, added(tmp_path, there, "there.field")).output

    assert isinstance(found, Field)
    np.testing.assert_array_equal(found.array, image.array)
    assert (found.meaning, found.threshold) == ("value", 1.5)


def test_points_come_back_where_they_are(there: Service, tmp_path: Path) -> None:
    result = delineate(scan(), added(tmp_path, there, "there.peaks"))
    found = result.output

    assert isinstance(found, Instances)
    count = len(found.items)
    assert result.overall["count"] == count
    assert result.overall["count_high"] == round(count + 1.96 * (4.0 * count) ** 0.5)
    points = {tuple(np.round(item.point or (), 3)): item.score for item in found.items}
    assert points[(1.0, 2.0, 3.0)] == pytest.approx(0.25)
    assert points[(5.0, 6.0, 7.0)] == pytest.approx(0.75)


def test_a_restored_image_comes_back_finer(there: Service, tmp_path: Path) -> None:
    image = scan()

    found = delineate(image, added(tmp_path, there, "there.finer")).output

    assert isinstance(found, Image)
    expected = image.array.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(found.array, expected)
    assert found.grid.matches(image.grid.with_spacing(tuple(s / 2 for s in image.grid.spacing)))
    assert found.modality == "MR"


def test_pictures_with_colours_are_sent_and_keep_their_place(
    there: Service, tmp_path: Path
) -> None:
    array = np.zeros((9, 12, 3), np.uint8)
    array[2:4, 5:9] = 255
    whole = picture(array, "red", "green", "blue")
    part = Image(
        whole.array[:, 1:], whole.grid.crop((0, 1, 0), (1, 8, 12)), "photo", whole.channels
    )
    name = added(tmp_path, there, "there.colours")

    first, second = (delineate(image, name) for image in (whole, part))

    for found in (first, second):
        assert found.findings[0].measurements["area_px"] == 8
        points = np.concatenate([ring.points for ring in found.findings[0].contours])
        assert (points.min(axis=0)[:2] == (4.5, 1.5)).all()


def test_grey_pictures_in_pixels_come_back_in_pixels(there: Service, tmp_path: Path) -> None:
    array = np.zeros((9, 12), np.uint8)
    array[2:4, 5:9] = 1

    found = delineate(picture(array), added(tmp_path, there, "there.labels"))

    assert found.findings[0].measurements["area_px"] == 8
    points = np.concatenate([ring.points for ring in found.findings[0].contours])
    assert (points.min(axis=0)[:2] == (4.5, 1.5)).all()


def test_classes_come_back(there: Service, tmp_path: Path) -> None:
    array = np.zeros((4, 4, 3), np.uint8)
    array[..., 1] = 1
    image = picture(array, "red", "green", "blue")

    found = delineate(image, added(tmp_path, there, "there.kind")).output

    assert isinstance(found, Classes)
    by_name = {category.name: p for category, p in found.probabilities.items()}
    assert by_name["green"] == pytest.approx(np.e / (2 + np.e), abs=1e-6)


def test_unsuitable_images_are_not_sent(there: Service, tmp_path: Path) -> None:
    name = added(tmp_path, there, "test.bright")
    images = there.settings.data / "tenants" / "local" / "images"
    before = len(list(images.glob("*")))

    with pytest.raises(UnsuitableImageError, match="wants CT, got modality MR"):
        delineate(scan(), name)
    assert len(list(images.glob("*"))) == before


def test_what_fails_there_is_told_here(there: Service, tmp_path: Path) -> None:
    name = added(tmp_path, there, "test.crash")

    with pytest.raises(DetectorError, match=r"127\.0\.0\.1:\d+: detector test\.crash crashed with"):
        delineate(scan(modality="CT"), name)


class _Cancelling(Monitor):
    """Cancels once the job is looked at."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.stop = threading.Event()

    def progress(self, fraction: float, stage: str = "") -> None:
        self.told.append(stage)
        if stage.endswith("looking"):
            self.stop.set()

    @property
    def cancelled(self) -> bool:
        return self.stop.is_set()


def test_cancelling_here_cancels_there(there: Service, tmp_path: Path) -> None:
    name = added(tmp_path, there, "test.bright")
    monitor, began = _Cancelling(), time.monotonic()
    started: list[str] = []
    detector = ServiceDetector(store.find_card(name).folder)
    start = detector._start
    detector._start = lambda *given: started.append(start(*given)) or started[-1]  # type: ignore[method-assign]
    options = registry.find(name).options(seconds=60.0)

    with pytest.raises(Cancelled):
        detector.detect_monitored(scan(modality="CT"), options, monitor)

    assert time.monotonic() - began < 60
    until(lambda: there.job(started[0])["state"] == "cancelled" or None)


def test_another_version_is_refused(there: Service, tmp_path: Path) -> None:
    name = added(tmp_path, there, "there.labels")
    path = store.find_card(name).folder / "card.json"
    document = json.loads(path.read_text())
    document["delineate"]["version"] = "0"
    path.write_text(json.dumps(document))

    with pytest.raises(BadDetectionError, match=r"ran there\.labels version 1 .* remove the card"):
        delineate(scan(), name)
    with pytest.raises(ModelError, match="does not tell of its detector what it told"):
        store.check(name)


def test_a_service_that_runs_takes_up_new_cards(
    there: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv(store.VARIABLE, str(there.settings.data.parent / "cards"))
        folder = tmp_path / "late"
        folder.mkdir()
        pointwise(folder / "net.onnx", (10.0,), (-15.0,), axes=3)
        part = {**VOLUME, "output": {"form": "masks"}}
        _install(folder, "late", part, gives="masks", categories=names("two"))

    found = delineate(scan(), added(tmp_path, there, "there.late"))

    assert found.findings[0].measurements["voxels"] == 5


def test_a_card_as_added_is_still_as_the_service_tells(there: Service, tmp_path: Path) -> None:
    assert store.check(added(tmp_path, there, "test.bright")) > 0


@pytest.mark.parametrize(
    ("detector", "said", "message"),
    [
        ("there.none", {}, r"has no detector 'there\.none', but .*organs\.ct"),
        ("there.labels", {"gives": "masks"}, "has gives 'labelmap', the card says 'masks'"),
        ("there.labels", {"categories": names("three")}, "finds one, two; leave the categories"),
    ],
)
def test_a_card_that_does_not_fit_the_service_is_refused(
    there: Service, tmp_path: Path, detector: str, said: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        added(tmp_path, there, detector, **said)


def test_what_cannot_be_sent_is_refused(there: Service, tmp_path: Path) -> None:
    name = added(tmp_path, there, "there.kind")
    image = picture(np.zeros((4, 4, 3), np.float32), "red", "green", "blue")

    with pytest.raises(UnsuitableImageError, match="in 8 bits can be sent, got 1 slices of 3 chan"):
        delineate(image, name)


def test_no_name_leaves_the_machine(there: Service, tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    series(folder, ct())
    image = read(folder)
    assert image.source.format == "dicom"
    name = added(tmp_path, there, "test.bright")
    images = there.settings.data / "tenants" / "local" / "images"
    before = {path.name for path in images.glob("*")}

    delineate(image, name)

    (kept,) = {path.name for path in images.glob("*")} - before
    document = there.client.get(f"/v1/images/{kept}").json()
    assert document["report"]["series"][0]["format"] == "nifti"


@pytest.mark.parametrize("name", ["abdomen_crlm_1004/image", "head_tilted_ge"])
def test_dense_samples_of_a_real_series_come_back_where_they_are(
    there: Service, tmp_path: Path, shared_data: Path, name: str
) -> None:
    image = read(shared_data / "ct_series" / name, uneven="resample")

    found = delineate(image, added(tmp_path, there, "test.bright"), {"threshold": 200}).output

    assert isinstance(found, LabelMap)
    assert found.array.any()
    np.testing.assert_array_equal(found.array, image.array >= 200)
