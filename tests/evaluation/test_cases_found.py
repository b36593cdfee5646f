"""Where cases are found: layouts of others, tables of labels, manifests, partners."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from folders import LIVER, NAMES, labels, pairs, write

from delineate.errors import InputError, OptionError, UnreadableFileError
from delineate.evaluation.batch import images_of
from delineate.evaluation.label_tables import named, read_table
from delineate.evaluation.layouts import find, find_images
from delineate.evaluation.manifest import read_manifest
from delineate.evaluation.pairs import cases_of, grouped
from delineate.imaging import Category, Grid


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_a_file_or_a_folder_is_a_case_whatever_the_format(tmp_path: Path) -> None:
    touch(
        *(tmp_path / name for name in ("a.nii.gz", "b.seg.nrrd", "c.mha", "d.geojson", "e.json")),
        *(tmp_path / name for name in ("f.1.dcm", "g/liver.nii.gz", "g/spleen.nii.gz", "h.png")),
        *(tmp_path / name for name in (".hidden.nii", "notes.txt", "plans.json", "empty/.keep")),
    )
    (tmp_path / "empty" / ".keep").unlink()

    assert list(find(tmp_path).paths) == ["a", "b", "c", "d", "e", "f.1", "g", "h"]


def test_two_files_of_one_case_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.nii.gz", tmp_path / "a.nrrd")

    with pytest.raises(InputError, match=r"a\.nii\.gz and a\.nrrd.*case a"):
        find(tmp_path)


def test_a_folder_without_cases_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no case; expected"):
        find(tmp_path)
    with pytest.raises(FileNotFoundError):
        find(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("table", "image"),
    [
        ({"background": 0, "liver": 1, "spleen": 2}, "c0_0000.nii.gz"),
        ({"0": "background", "1": "liver", "2": "spleen"}, "c0.nii.gz"),
    ],
    ids=["nnU-Net", "Decathlon"],
)
def test_data_sets_bring_names_and_images(
    tmp_path: Path, table: dict[str, object], image: str
) -> None:
    root = tmp_path / "Dataset001"
    touch(root / "imagesTr" / image, root / "imagesTr" / "c0_0001.nii.gz")
    write(root / "labelsTr", "c0", labels({1: LIVER}))
    (root / "dataset.json").write_text(json.dumps({"labels": table}))

    for start in (root, root / "labelsTr"):
        found = find(start)
        assert found.paths == {"c0": root / "labelsTr" / "c0.nii.gz"}
        assert found.tables["c0"] == {"liver": (1,), "spleen": (2,)}
        assert found.images == {"c0": root / "imagesTr" / image}


def test_bids_derivatives_take_the_nearest_table(tmp_path: Path) -> None:
    root = tmp_path / "derivatives"
    for subject in ("01", "02"):
        touch(root / f"sub-{subject}" / "anat" / f"sub-{subject}_space-orig_desc-net_dseg.nii.gz")
    touch(root / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    (root / "desc-net_dseg.tsv").write_text("index\tname\n0\tbackground\n3\tliver\n")
    (root / "sub-02" / "anat" / "sub-02_space-orig_desc-net_dseg.tsv").write_text(
        "index\tname\tcolor\n4\tspleen\t#ff0000\n"
    )

    found = find(root)

    assert list(found.paths) == ["sub-01", "sub-02"]
    assert found.tables == {"sub-01": {"liver": (3,)}, "sub-02": {"spleen": (4,)}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "label,name\n1,liver\n"),
        ("t.json", '{"liver": 1}'),
        ("t.json", '{"1": "liver"}'),
        ("t.tsv", "\ufeffindex\tname\n1\tliver\n"),
    ],
)
def test_tables_come_in_many_forms(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")

    assert read_table(tmp_path / name) == {"liver": (1,)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "a,b\n1,2\n"),
        ("t.csv", ""),
        ("t.json", "{"),
        ("t.json", '{"labels": {"liver": 1, "ignore": 2}}'),
        ("t.json", '{"liver": 70000}'),
        ("t.tsv", "index\tname\n1\tliver\n2\tliver\n"),
        ("t.csv", "index,name\nx,liver\n"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(UnreadableFileError, match="expected a table of labels"):
        read_table(tmp_path / name)


def test_regions_of_several_labels_overlap_the_others() -> None:
    # nnU-Net's regions: the whole tumour is labels 1 and 2, its core is label 2.
    array = np.array([[[0, 1, 2, 3]]], np.uint8)
    layer = labels({}, {}, Grid.regular((1, 1, 4)))
    layer = type(layer)(array, layer.grid, {n: Category(f"label {n}") for n in (1, 2, 3)})

    found = named((layer,), {"whole": (1, 2), "core": (2,)})

    masks = {
        one.name: (held.array == label).ravel().tolist()
        for held in found
        for label, one in held.categories.items()
    }
    assert masks == {
        "whole": [False, True, True, False],
        "core": [False, False, True, False],
        "label 3": [False, False, False, True],
    }
    with pytest.raises(OptionError, match="holds overlaps"):
        named(found, {"core": (2,)})


def test_a_manifest_names_files_images_and_groups(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("case,prediction,reference,image,sex\na,p/a.nii,r/a.nii,,F\nb,,r/b.nii,i/b,M\n")

    found = cases_of(path)

    first, second = found.cases
    assert (first.name, first.prediction, first.reference) == (
        "a",
        tmp_path / "p" / "a.nii",
        tmp_path / "r" / "a.nii",
    )
    assert (second.prediction, second.image) == (None, tmp_path / "i" / "b")
    assert [one.groups for one in found.cases] == [{"sex": "F"}, {"sex": "M"}]
    assert found.without_prediction == ("b",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,prediction\na,b\n", "reference is missing"),
        ("case,prediction,reference\na,b,c\na,b,c\n", "line 3"),
        ("case,prediction,reference\na,b,\n", "line 2"),
        ("case,prediction,reference\n", "no row"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.csv").write_text(text)

    with pytest.raises(UnreadableFileError, match=message):
        read_manifest(tmp_path / "m.csv")


def test_cases_without_a_partner_are_told_or_refused(tmp_path: Path) -> None:
    prediction, reference = pairs(tmp_path)
    (prediction / "c1.nii.gz").unlink()
    write(prediction, "extra", labels({1: LIVER}))

    found = cases_of(prediction, reference)

    assert [one.name for one in found.cases] == ["c0", "c1", "c2"]
    assert found.cases[1].prediction is None
    assert (found.without_prediction, found.without_reference) == (("c1",), ("extra",))
    with pytest.raises(InputError, match=r"without a prediction: c1; without a reference: extra"):
        cases_of(prediction, reference, strict=True)


def test_names_that_never_meet_are_refused_with_both_named(tmp_path: Path) -> None:
    write(tmp_path / "p", "one_pred", labels({1: LIVER}))
    write(tmp_path / "p", "two_pred", labels({1: LIVER}))
    write(tmp_path / "r", "one", labels({1: LIVER}))

    with pytest.raises(InputError, match=r"references are called one .* predictions one_pred"):
        cases_of(tmp_path / "p", tmp_path / "r")
    with pytest.raises(OptionError, match="CSV manifest"):
        cases_of(tmp_path / "p")


def test_two_files_are_one_case_whatever_they_are_called(tmp_path: Path) -> None:
    one = write(tmp_path, "mine", labels({1: LIVER}))
    two = write(tmp_path, "truth", labels({1: LIVER}, NAMES))

    (case,) = cases_of(one, two).cases

    assert (case.name, case.prediction, case.reference) == ("truth", one, two)


def test_groups_come_from_tables(tmp_path: Path) -> None:
    found = cases_of(*pairs(tmp_path, 2))
    (tmp_path / "people.csv").write_text("case,sex,age\nc0,F,50\nother,M,60\n")

    some = grouped(found, {"sex": tmp_path / "people.csv"})

    assert [one.groups for one in some.cases] == [{"sex": "F"}, {"sex": ""}]
    with pytest.raises(UnreadableFileError, match="site is missing"):
        grouped(found, {"site": tmp_path / "people.csv"})
    (tmp_path / "people.csv").write_text("case,sex\nx,F\n")
    with pytest.raises(InputError, match="names none of the cases"):
        grouped(found, {"sex": tmp_path / "people.csv"})


def test_images_go_by_case_and_channel_0(tmp_path: Path) -> None:
    touch(*(tmp_path / f"{name}.nii.gz" for name in ("c0_0000", "c0_0001", "c1")))
    touch(tmp_path / "c2" / "slice.dcm")

    assert list(find_images(tmp_path)) == ["c0", "c1", "c2"]
    assert list(images_of(tmp_path)) == ["c0", "c1", "c2"]
    assert list(images_of(tmp_path / "c0_0000.nii.gz")) == ["c0"]


def test_a_folder_of_slices_is_one_image(phantom_series: Path) -> None:
    assert images_of(phantom_series) == {phantom_series.name: phantom_series}
    with pytest.raises(FileNotFoundError):
        images_of(phantom_series / "nowhere")
