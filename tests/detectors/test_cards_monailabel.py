"""Cards of MONAI Label servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from card_monailabel import MonaiLabel
from card_servers import card_file, serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import labelmaps

from delineate import delineate, read
from delineate.detectors.cards import sending, store
from delineate.errors import BadDetectionError, DetectorError, ModelError, UnsuitableImageError
from delineate.imaging import Grid, Image, LabelMap
from delineate.plugins import registry


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MonaiLabel, str]]:
    server = MonaiLabel(tmp_path_factory.mktemp("server"))
    with serving(server.app) as url:
        yield server, url


@pytest.fixture
def server(
    running: tuple[MonaiLabel, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MonaiLabel:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cards"))
    fresh, (kept, _) = MonaiLabel(tmp_path), running
    for name in ("labels", "told", "extension", "turned", "spoil", "cut", "asked"):
        setattr(kept, name, getattr(fresh, name))
    return kept


@pytest.fixture
def url(running: tuple[MonaiLabel, str]) -> str:
    return running[1]


def added(folder: Path, url: str, **said: Any) -> str:
    part = {"url": url, "model": "segmentation_ct", "timeout_s": 30.0, **said.pop("part", {})}
    return store.add(card_file(folder, monailabel=part, **said)).name


def scan(shape: tuple[int, int, int] = (5, 6, 7), modality: str = "CT") -> Image:
    array = np.zeros(shape, np.int16)
    array[1, 2, 3], array[2:4, 1, :2] = 1, 2
    return Image(array, Grid.regular(shape, (3.0, 0.7, 0.8), (-10.0, 20.0, 5.0)), modality)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labelmaps(max_size=6, max_label=2), st.sampled_from((".nrrd", ".nii.gz")))
def test_labels_come_back_on_the_samples_they_are_on(
    server: MonaiLabel,
    url: str,
    tmp_path_factory: pytest.TempPathFactory,
    drawn: LabelMap,
    extension: str,
) -> None:
    folder = tmp_path_factory.mktemp("card")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(store.VARIABLE, str(folder / "cards"))
        spec = registry.find(added(folder, url))
        server.extension = extension
        image = Image(drawn.array, drawn.grid)

        if sending.is_sheared(drawn.grid):
            with pytest.raises(UnsuitableImageError, match="sheared"):
                delineate(image, spec)
            return
        found = delineate(image, spec).output

    assert isinstance(found, LabelMap)
    np.testing.assert_array_equal(found.array, drawn.array)
    assert found.grid.matches(drawn.grid)


def test_the_card_is_filled_in_by_what_the_server_tells(
    server: MonaiLabel, url: str, tmp_path: Path
) -> None:
    spec = registry.find(added(tmp_path, url))

    assert [each.name for each in spec.categories] == ["spleen", "lump"]
    assert spec.categories[0].code is not None
    assert spec.categories[0].code.meaning == "Spleen"
    assert (spec.gives, spec.wants.unit, spec.wants.channels) == ("labelmap", "mm", 0)
    assert server.asked == []  # no image was sent


def test_a_list_of_labels_counts_from_one(server: MonaiLabel, url: str, tmp_path: Path) -> None:
    server.labels = ["background", "lump", "spleen"]
    name = added(tmp_path, url)

    found = delineate(scan(), name)

    assert found.findings[0].category.name == "lump"
    assert found.findings[0].measurements["voxels"] == 1


def test_what_is_sent_names_nobody(server: MonaiLabel, url: str, tmp_path: Path) -> None:
    name = added(tmp_path, url, part={"params": {"largest_cc": True}})

    delineate(scan(), name)

    assert server.asked == [
        {
            "largest_cc": True,
            "result_extension": ".nrrd",
            "result_dtype": "uint16",
            "name": "image.nii.gz",
            "type": "application/gzip",
        }
    ]


def test_names_in_the_answer_come_before_those_of_the_card(
    server: MonaiLabel, url: str, tmp_path: Path
) -> None:
    name = added(tmp_path, url)
    server.told = {"label_names": {"spleen": 2, "lump": 1}}

    by_name = {one.category.name: one for one in delineate(scan(), name).findings}

    assert by_name["lump"].measurements["voxels"] == 1
    assert by_name["spleen"].measurements["voxels"] == 4


def test_labels_that_the_card_leaves_out_are_remarked(
    server: MonaiLabel, url: str, tmp_path: Path
) -> None:
    name = added(tmp_path, url, categories=[{"name": "lump", "colour": "#010203"}])

    found = delineate(scan(), name)

    (one,) = found.findings
    assert (one.category.name, one.measurements["voxels"]) == ("lump", 4)
    assert found.notes == ("Not in the card, left out: spleen.",)


def test_labels_that_nobody_names_are_refused(server: MonaiLabel, url: str, tmp_path: Path) -> None:
    name = added(tmp_path, url)
    server.spoil = lambda array: array + 5

    with pytest.raises(BadDetectionError, match=r"sent the labels \[5, 6, 7\] without saying"):
        delineate(scan(), name)


def test_labels_on_other_samples_are_refused(server: MonaiLabel, url: str, tmp_path: Path) -> None:
    name = added(tmp_path, url)
    server.spoil = lambda array: array[:, :, 1:]
    with pytest.raises(BadDetectionError, match=r"sent \(5, 6, 7\) samples and answered by labels"):
        delineate(scan(), name)

    server.spoil = lambda array: array.transpose(0, 2, 1)  # and no information on where it lies
    with pytest.raises(BadDetectionError, match="lie elsewhere than the image"):
        delineate(scan(), name)


@pytest.mark.parametrize("turned", ["RAS", "PIR", "SLA"])
def test_labels_that_the_server_has_turned_are_turned_back(
    server: MonaiLabel, url: str, tmp_path: Path, turned: str
) -> None:
    name = added(tmp_path, url)
    server.turned = turned

    found = delineate(scan(), name).output

    assert isinstance(found, LabelMap)
    np.testing.assert_array_equal(found.array, scan().array)


def test_an_answer_that_was_cut_off_is_refused(
    server: MonaiLabel, url: str, tmp_path: Path
) -> None:
    name = added(tmp_path, url)
    for cut in (1, 60, 200):
        server.cut = cut + 8
        with pytest.raises(DetectorError, match="was cut off"):
            delineate(scan(), name)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"part": {"model": "nothing"}}, "has no model 'nothing', but segmentation_ct, deepedit"),
        ({"part": {"model": "deepedit_ct"}}, "of type 'deepedit'; expected segmentation"),
        ({"categories": [{"name": "liver"}]}, "knows no liver; it knows spleen, lump"),
        ({"gives": "masks"}, "gives 'labelmap', the card says 'masks'"),
    ],
)
def test_a_card_that_does_not_fit_the_server_is_refused(
    server: MonaiLabel, url: str, tmp_path: Path, said: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        added(tmp_path, url, **said)


def test_labels_without_numbers_of_their_own_are_refused(
    server: MonaiLabel, url: str, tmp_path: Path
) -> None:
    server.labels = {"spleen": 1, "lump": 1}

    with pytest.raises(ModelError, match="each label with a number of its own"):
        added(tmp_path, url)


def test_check_finds_out_that_the_server_has_changed(
    server: MonaiLabel, url: str, tmp_path: Path
) -> None:
    name = added(tmp_path, url)
    assert store.check(name) > 0
    server.labels = {"lump": 1, "spleen": 2}

    with pytest.raises(ModelError, match="does not tell of its detector what it told"):
        store.check(name)


def test_pictures_in_pixels_are_not_sent(server: MonaiLabel, url: str, tmp_path: Path) -> None:
    name = added(tmp_path, url)
    picture = Image(np.zeros((1, 4, 4), np.uint8), Grid.regular((1, 4, 4), unit="px"), "photo")

    with pytest.raises(UnsuitableImageError, match="known scale"):
        delineate(picture, name)
    assert server.asked == []


def test_labels_on_a_real_oblique_head_come_back_where_they_are(
    server: MonaiLabel, url: str, tmp_path: Path, shared_data: Path
) -> None:
    (path,) = (shared_data / "ct_series" / "head_oblique_nifti").glob("*.nii*")
    image = read(path)
    server.spoil = lambda array: array > 150
    name = added(tmp_path, url)

    found = delineate(image, name).output

    assert isinstance(found, LabelMap)
    assert found.array.any()
    np.testing.assert_array_equal(found.array, image.array > 150)
