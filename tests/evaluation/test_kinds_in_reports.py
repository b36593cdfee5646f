"""Reports of things, classes and fields: what they tell, what they draw, and always the same."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from folders import GRID, LIVER, labels, write
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from test_report import Page

import delineate
from delineate.cli import main
from delineate.errors import InputError
from delineate.evaluation import Rules, Scoring, evaluate, write_report
from delineate.evaluation.case import Case, Scored
from delineate.evaluation.columns import columns_of
from delineate.evaluation.detection import matched_things
from delineate.evaluation.evidence import judged
from delineate.evaluation.heat import Heat, heat_of
from delineate.evaluation.pairs import Cases
from delineate.evaluation.run import Evaluation
from delineate.evaluation.scene import Scene, scene_of
from delineate.evaluation.scoring import score
from delineate.formats import geojson
from delineate.formats.marks import Mark
from delineate.imaging import Category, Grid, LabelMap
from delineate.plugins.outputs import Classes, Field, Instance, Instances, Output
from delineate.plugins.registry import find

PHOTO = Grid.regular((1, 60, 80), unit="px")
MOTH, FLY, PIT = Category("moth"), Category("fly"), Category("pit")


def things(*places: tuple[float, float], of: Category = MOTH, score: float = 0.5) -> Instances:
    return Instances(tuple(Instance(of, score, point=(0.0, *place)) for place in places), PHOTO)


def pitted(number: int) -> tuple[Field, LabelMap]:
    """A pit, and a field that is high there and, in odd images, elsewhere."""
    truth = np.zeros(PHOTO.shape, np.uint8)
    truth[0, 10:20, 10:30] = number > 0
    array = np.linspace(0, 0.3, truth.size, dtype=np.float32).reshape(truth.shape)
    array[0, 12:20, 12:34] += 0.5
    array[0, 40:50, 60 : 60 + 4 * (number % 2)] = 0.9
    return Field(array, PHOTO, PIT, "distance to good ones", 0.5), LabelMap(truth, PHOTO, {1: PIT})


def classes(truth: str, **given: float) -> tuple[Classes, Classes]:
    names = {name: Category(name) for name in ("good", "bad")}
    return (
        Classes({names[name]: value for name, value in given.items()}),
        Classes({one: float(name == truth) for name, one in names.items()}),
    )


COHORTS: Mapping[str, Sequence[tuple[Output, Output]]] = {
    "things": [
        (things((10, 10), (50, 50)), things((11, 10), (30, 70))),
        (things((10, 10), score=0.9), things((10, 12))),
        (
            Instances((*things((5, 5)).items, *things((40, 40), of=FLY).items), PHOTO),
            things((5, 5), (40, 40)),
        ),
        (things(), things()),
    ],
    "classes": [
        classes("good", good=0.9, bad=0.1),
        classes("good", good=0.4, bad=0.6),
        classes("bad", good=0.2, bad=0.8),
        classes("bad", good=0.0, bad=0.0),
    ],
    "fields": [pitted(number) for number in range(4)],
}


def evaluation(cohort: Sequence[tuple[Output, Output]], image: Path | None = None) -> Evaluation:
    scored, cases = [], []
    for number, (prediction, reference) in enumerate(cohort):
        found = judged(prediction, reference, Scoring())  # type: ignore[arg-type]
        held = Scored(
            case=f"c{number}", scores=found.scores, evidence=found.evidence, cutout=found.picture
        )
        scored.append(Scored.from_json(json.loads(json.dumps(held.to_json()))))
        cases.append(Case(name=f"c{number}", reference=Path("x"), image=image))
    return Evaluation(
        title="mine",
        reference_title="true",
        cases=Cases(cases=tuple(cases), layouts=("", "")),
        rules=Rules(),
        scored=tuple(scored),
        columns=columns_of(scored),
    )


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "photograph.png"
    grey = np.arange(60 * 80, dtype=np.uint32).reshape(60, 80) % 251
    Pillow.fromarray(np.stack([grey.astype(np.uint8)] * 3, axis=-1)).save(path)
    return path


def written(kind: str, folder: Path, image: Path | None = None) -> tuple[str, dict]:
    paths = write_report(evaluation(COHORTS[kind], image), folder)
    return paths["report.html"].read_text("utf-8"), json.loads(paths["summary.json"].read_text())


@pytest.mark.parametrize("kind", COHORTS)
def test_every_kind_has_a_report_that_is_the_same_each_time(
    kind: str, tmp_path: Path, photograph: Path
) -> None:
    text, document = written(kind, tmp_path / "a", photograph)
    again, _ = written(kind, tmp_path / "b", photograph)

    assert text == again
    page = Page(text)
    assert not page.tags & {"script", "link", "iframe", "object", "form"}
    assert all(link.startswith("data:image/") for link in page.links)
    assert len(page.links) >= 3  # of every case that has anything
    assert list(document["cohort"]) == [kind]
    assert document["kinds"] == {kind: 4}
    for name in ("scores.csv", "summary.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_things_are_told_apart_in_numbers_and_pictures(tmp_path: Path, photograph: Path) -> None:
    text, document = written("things", tmp_path, photograph)

    words = " ".join(Page(text).text)
    for expected in ("things found", "FROC", "(all together)", "MAE", "within a distance of 20"):
        assert expected in words
    assert "1 found, 1 missed, 1 invented" in text
    rows = {row["structure"]: row for row in document["cohort"]["things"]}
    assert (rows["moth"]["hits"], rows["moth"]["missed"], rows["moth"]["invented"]) == (3, 2, 1)
    assert (rows["fly"]["hits"], rows["fly"]["invented"]) == (0, 1)
    assert rows[""]["hits"] == 4  # the fly is where a moth is
    assert rows["fly"]["cases"] == 4


def test_classes_show_who_was_taken_for_whom(tmp_path: Path) -> None:
    text, document = written("classes", tmp_path)

    words = " ".join(Page(text).text)
    for expected in ("Who was taken for whom", "Calibration of the answers", "Wilson", "0.500"):
        assert expected in words
    assert "is good, taken for bad (0.600)" in text
    (row,) = document["cohort"]["classes"]
    assert row["names"] == ["(no answer)", "bad", "good"]
    assert row["confusion"] == [[0, 0, 0], [1, 1, 0], [0, 1, 1]]


def test_fields_are_drawn_beside_what_is_true(tmp_path: Path, photograph: Path) -> None:
    text, document = written("fields", tmp_path, photograph)

    assert "AUROC by image" in text
    assert "scores: distance to good ones, threshold 0.5" in text
    assert text.count('class="heat"') == 4
    (row,) = document["cohort"]["fields"]
    assert (row["cases"], row["true_cases"], row["image_specificity"]["value"]) == (4, 3, 0.0)


def test_a_name_of_a_thing_is_text_whatever_it_holds(tmp_path: Path) -> None:
    hostile = Category("<script>alert(1)</script>\"'&")
    held = things((1, 1), (30, 30), of=hostile)

    paths = write_report(evaluation([(held, things((1, 1), of=hostile))] * 2), tmp_path)

    text = paths["report.html"].read_text("utf-8")
    assert "script" not in Page(text).tags
    assert "<script" not in text


def test_a_field_without_a_number_somewhere_is_refused() -> None:
    field, truth = pitted(1)
    array = field.array.copy()
    array[0, 0, 0] = np.nan

    with pytest.raises(InputError, match="a number for every sample"):
        score(Field(array, PHOTO, PIT, "x", 0.5), truth)


places = st.lists(st.tuples(st.integers(0, 59), st.integers(0, 79)), max_size=6)


@settings(deadline=None, max_examples=40)
@given(places, places)
def test_every_thing_is_in_the_picture_once(one: list, two: list) -> None:
    prediction, reference = things(*one), things(*two)
    matched = matched_things(prediction, reference, Scoring(distance=5))

    scene = Scene.from_json(
        json.loads(json.dumps(scene_of(matched, prediction, reference).to_json()))
    )

    kinds = [shape.kind for shape in scene.shapes]
    hits = int(matched[""].hits.sum())
    assert kinds.count("found") == hits
    assert kinds.count("missed") == len(two) - hits
    assert kinds.count("invented") == len(one) - hits
    _, rows, columns = scene.grid.shape
    for shape in scene.shapes:  # what is wrong lies within the part that is shown
        if shape.kind != "found":
            row, column = shape.points[0]
            assert -0.5 <= row <= rows - 0.5
            assert -0.5 <= column <= columns - 0.5
            world = scene.grid.to_world((0, row, column))
            assert tuple(world[[1, 0]].round(3)) in {*one, *two}


def test_the_slice_with_most_errors_is_shown() -> None:
    grid = Grid.regular((9, 40, 40), (2.0, 1.0, 1.0))

    def box(first: int, last: int, row: float) -> Instance:
        return Instance(MOTH, 1.0, box=((first - 0.5, row, 5.0), (last + 0.5, row + 6, 11.0)))

    reference = Instances((box(1, 6, 2.0), box(5, 7, 20.0)), grid)
    prediction = Instances((box(5, 6, 30.0),), grid)

    scene = scene_of(matched_things(prediction, reference, Scoring()), prediction, reference)

    assert (scene.slice, scene.slices) == (5, 9)
    assert sorted(shape.kind for shape in scene.shapes) == ["invented", "missed", "missed"]


def test_a_large_field_is_shown_by_its_highest_samples() -> None:
    grid = Grid.regular((2, 700, 500), (3.0, 0.5, 0.5))
    array = np.zeros(grid.shape, np.float32)
    array[1, 641, 402] = 1.0
    truth = np.zeros(grid.shape, bool)
    truth[1, 641, 402] = True

    heat = heat_of(Field(array, grid, PIT, "x", 0.5), truth)
    heat = Heat.from_json(json.loads(json.dumps(heat.to_json())))

    assert heat.cutout.slice == 0 or heat.shades.max() == 255
    assert heat.cutout.grid.shape == (1, 234, 167)
    assert heat.cutout.reference.shape == (234, 167)
    # A sample of the picture is as large as three, and lies where they do.
    row, column = np.argwhere(heat_of(Field(array, grid, PIT, "x", 0.5), truth).shades == 255)[0]
    there = heat.cutout.grid.to_world((0, row, column)) - grid.to_world((0, 641, 402))
    assert np.abs(there[:2]).max() <= 0.5


def test_structures_that_are_nowhere_take_one_line(tmp_path: Path) -> None:
    names = {n: Category(f"organ {n}") for n in range(1, 41)}
    for case in ("a", "b"):
        for side in ("prediction", "reference"):
            write(tmp_path / side, case, labels({1: LIVER}, names, GRID))

    found = evaluate(tmp_path / "prediction", tmp_path / "reference", workers=1)
    paths = write_report(found, tmp_path / "out")

    document = json.loads(paths["summary.json"].read_text())
    assert document["absent_everywhere"] == [f"organ {n}" for n in range(2, 41)]
    text = paths["report.html"].read_text("utf-8")
    assert "39 structures are named and in neither side of any case" in text
    assert not re.search(r"<t[dh][^>]*>organ 7</t[dh]>", text)  # no row is of it alone
    with paths["scores.csv"].open(newline="", encoding="utf-8") as file:
        lines = [one for one in csv.DictReader(file) if one["structure"] == "organ 7"]
    assert {one["note"] for one in lines} == {"absent"}


def test_names_that_were_taken_for_one_are_told(tmp_path: Path) -> None:
    mine, true = (
        {1: Category("Leber"), 2: Category("Kidney L")},
        {
            1: Category("liver"),
            2: Category("kidney_left"),
        },
    )
    boxes = {1: LIVER, 2: (slice(0, 4), slice(6, 9), slice(0, 3))}
    write(tmp_path / "prediction", "a", labels(boxes, mine))
    write(tmp_path / "reference", "a", labels(boxes, true))

    found = evaluate(
        tmp_path / "prediction",
        tmp_path / "reference",
        rules=Rules(renamed={"Leber": "liver"}),
        workers=1,
    )
    paths = write_report(found, tmp_path / "out")

    document = json.loads(paths["summary.json"].read_text())
    assert document["called"] == [
        {"reference": "kidney_left", "prediction": "Kidney L", "cases": 1},
        {"reference": "liver", "prediction": "Leber", "cases": 1},
    ]
    text = paths["report.html"].read_text("utf-8")
    assert "as was said" in text
    assert "by name or code" in text


def boards(source: Path, folder: Path) -> None:
    """Three boards compared with their templates, and what people found on them."""
    spec = find("defects.compare")
    named = {one.name: one for one in spec.categories}
    for path in sorted(source.rglob("*_test.jpg"))[:3]:
        image = delineate.read(path)
        name = path.name.removesuffix("_test.jpg")
        template = delineate.read(path.with_name(f"{name}_temp.jpg"))
        found = delineate.delineate(image, spec, {"template": template})
        delineate.export(found, [], folder / "prediction" / name)
        marks = []
        for line in next(path.parent.parent.rglob(f"{name}.txt")).read_text().splitlines():
            left, top, right, bottom, kind = map(float, line.split())
            corners = image.grid.to_world([(-0.5, top, left), (0.5, bottom, right)])
            box = (tuple(corners[0].tolist()), tuple(corners[1].tolist()))
            marks.append(Mark(len(marks) + 1, named[FAULTS[int(kind) - 1]], box=box))
        (folder / "reference").mkdir(exist_ok=True)
        geojson.write((), image.grid, folder / "reference" / f"{name}.geojson", marks)


FAULTS = ("open", "short", "mousebite", "spur", "copper", "pin-hole")


def test_faults_of_real_boards_are_found_and_told(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "defects" / "deeppcb"
    if not source.is_dir():
        pytest.skip("../shared/data/defects/deeppcb is not here")
    boards(source, tmp_path)
    rows = {}

    for iou in ("0.2", "0.95"):
        with pytest.raises(SystemExit) as stop:
            main(
                [
                    *("evaluate", str(tmp_path / "prediction"), str(tmp_path / "reference")),
                    *("--out", str(tmp_path / iou), "--iou", iou, "--workers", "1", "--worst", "0"),
                ]
            )
        assert stop.value.code == 0
        document = json.loads((tmp_path / iou / "summary.json").read_text())
        rows[iou] = {row["structure"]: row for row in document["cohort"]["things"]}

    together = rows["0.2"][""]
    assert together["cases"] == 3
    assert together["references"] > 10
    assert together["recall"]["value"] > 0.9
    assert together["precision"]["value"] > 0.8
    assert together["counts"]["mae"]["value"] < 1
    assert rows["0.95"][""]["recall"]["value"] < 0.5  # people draw wider boxes
    assert set(rows["0.2"]) <= {*FAULTS, ""}
