"""The report: the same bytes for the same input, nothing of it from outside, every number told."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from folders import GRID, LIVER, SPLEEN, box, labels, pairs, write
from hypothesis import given
from hypothesis import strategies as st

from delineate.evaluation import Scoring
from delineate.evaluation.case import Case, Rules, Scored
from delineate.evaluation.columns import columns_of
from delineate.evaluation.markup import tag
from delineate.evaluation.pairs import Cases
from delineate.evaluation.report import write_report
from delineate.evaluation.run import Evaluation, evaluate
from delineate.evaluation.score import Score
from delineate.formats import nifti
from delineate.imaging import Image

RULES = Rules(scoring=Scoring(metrics=("dice", "hd95", "volume_reference", "volume_prediction")))


class Page(HTMLParser):
    """Checks that every element ends where it should, and gathers what the page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cases: the liver 0, 1 and 2 rows too low; in c2 the spleen is missed; and images."""
    root = tmp_path_factory.mktemp("report")
    prediction, _ = pairs(root)
    write(prediction, "c2", labels({1: box(2)}))
    write(prediction, "c0", labels({1: LIVER, 2: SPLEEN}))
    grey = np.arange(np.prod(GRID.shape), dtype=np.int16).reshape(GRID.shape)
    (root / "images").mkdir()
    for number in range(3):
        nifti.write_image(Image(grey, GRID, "CT"), root / "images" / f"c{number}_0000.nii.gz")
    (root / "people.csv").write_text("case,sex\nc0,F\nc1,M\nc2,M\n")
    return root


def made(root: Path, out: Path, **options: object) -> tuple[Evaluation, Mapping[str, Path]]:
    evaluation = evaluate(
        root / "prediction", root / "reference", out=out, rules=RULES, workers=1, **options
    )
    return evaluation, write_report(evaluation, out)


def test_the_summary_holds_numbers_worked_by_hand(root: Path, tmp_path: Path) -> None:
    _, paths = made(root, tmp_path, groups={"sex": root / "people.csv"})
    document = json.loads(paths["summary.json"].read_text())
    rows = {(row["structure"], row["metric"]): row for row in document["scores"]}

    liver, spleen = rows["liver", "dice"], rows["spleen", "dice"]
    assert (liver["n"], liver["mean"], liver["p50"]) == (3, 0.75, 0.75)
    assert (liver["sd"], liver["minimum"], liver["maximum"]) == (0.25, 0.5, 1.0)
    assert (spleen["n"], spleen["missed"], spleen["mean"]) == (3, 1, pytest.approx(2 / 3, abs=1e-6))
    distance = rows["spleen", "hd95"]
    assert (distance["n"], distance["missed"], distance["undefined"]) == (2, 1, 1)
    assert document["overall"]["dice"]["mean"] == pytest.approx((0.75 + 2 / 3) / 2, abs=1e-6)
    volumes = {row["structure"]: row for row in document["volumes"]}
    # 64 samples of 2 mm3 are 0.128 ml; the spleen's are missed once.
    assert volumes["liver"]["limits"]["bias"] == 0
    assert volumes["spleen"]["limits"]["bias"] == pytest.approx(-0.128 / 3, abs=1e-6)
    groups = {
        (level, row["structure"], row["metric"]): (row["n"], row["mean"])
        for level, found in document["groups"]["sex"].items()
        for row in found["scores"]
    }
    assert groups["F", "liver", "dice"] == (1, 1.0)
    assert groups["M", "liver", "dice"] == (2, 0.625)


def test_scores_are_a_long_table_that_any_reader_reads(root: Path, tmp_path: Path) -> None:
    evaluation, paths = made(root, tmp_path)

    with paths["scores.csv"].open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))

    assert list(lines[0]) == ["case", "structure", "metric", "value", "unit", "note"]
    assert len(lines) == sum(len(one.scores) for one in evaluation.scored) == 3 * 2 * 4
    found = {(one["case"], one["structure"], one["metric"]): one for one in lines}
    assert float(found["c1", "liver", "dice"]["value"]) == 0.75
    missed = found["c2", "spleen", "hd95"]
    assert (missed["value"], missed["unit"], missed["note"]) == ("", "mm", "missed")


def test_parquet_holds_the_same(root: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    evaluation, paths = made(root, tmp_path)
    write_report(evaluation, tmp_path, parquet=True)

    table = parquet.read_table(tmp_path / "scores.parquet").to_pylist()

    with paths["scores.csv"].open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(table) == len(lines)
    for row, line in zip(table, lines, strict=True):
        value = line["value"]
        assert row == {**line, "value": float(value) if value else None}


def test_the_same_input_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    options = {"images": root / "images", "groups": {"sex": root / "people.csv"}}
    _, first = made(root, tmp_path / "a", **options)
    evaluation, second = made(root, tmp_path / "b", **options)
    third = write_report(evaluation, tmp_path / "b")

    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes() == third[name].read_bytes()


def test_the_page_needs_nothing_else_and_is_well_formed(root: Path, tmp_path: Path) -> None:
    _, paths = made(
        root,
        tmp_path,
        images=root / "images",
        groups={"sex": root / "people.csv"},
        compare=root / "reference",
        require=["liver.dice>=0.6", "spleen.hd95.mean<1"],
    )

    page = Page(paths["report.html"].read_text(encoding="utf-8"))

    assert not page.tags & {"script", "link", "iframe", "object", "form"}
    assert len(page.links) == 3  # a picture of each case, with its image
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    text = " ".join(page.text)
    for words in (
        "How it was counted",
        "1 missed",
        "liver.dice>=0.6",
        "By sex",
        "Wilcoxon",
        "Worst cases",
        "limits of agreement",
        "SHA-256",
    ):
        assert words in text
    assert "url(" not in text
    assert "http-equiv" in paths["report.html"].read_text(encoding="utf-8")


def test_the_worst_case_comes_first(root: Path, tmp_path: Path) -> None:
    _, paths = made(root, tmp_path)
    text = paths["report.html"].read_text(encoding="utf-8")

    shown = re.findall(r"<strong>(c\d)</strong>", text)

    assert shown == ["c2", "c1", "c0"]
    assert "Dice 0.250: spleen 0.000, liver 0.500" in text
    assert "spleen, slice 1 of 4: 16 samples in the reference, 0 in the prediction" in text


HOSTILE = "<script>alert(1)</script>\"'&=1+1"


def hostile(name: str) -> Evaluation:
    scores = (
        Score(name, "dice", 0.5, "1"),
        Score(name, "volume_reference", 1.0, "ml"),
        Score(name, "volume_prediction", 2.0, "ml"),
    )
    good = [
        Scored(case=f"{name}{n}", scores=scores, notes=(name,), prediction_only=(name,))
        for n in range(3)
    ]
    scored = (*good, Scored(case=f"{name}x", error=name))
    cases = tuple(Case(name=one.case, reference=Path("x"), groups={name: name}) for one in scored)
    return Evaluation(
        title=name,
        reference_title=name,
        cases=Cases(cases=cases, without_reference=(name,), layouts=(name, name)),
        rules=Rules(renamed={name: name}),
        scored=scored,
        columns=columns_of(scored),
        other_title=name,
        other=scored,
        other_columns=columns_of(scored),
    )


def test_names_are_text_whatever_they_hold(tmp_path: Path) -> None:
    paths = write_report(hostile(HOSTILE), tmp_path)

    text = paths["report.html"].read_text(encoding="utf-8")

    assert "script" not in Page(text).tags
    assert "<script" not in text
    with paths["scores.csv"].open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["structure"] == HOSTILE


def test_a_name_that_a_spreadsheet_would_reckon_is_quoted(tmp_path: Path) -> None:
    paths = write_report(hostile('=HYPERLINK("x")'), tmp_path)

    assert b"\r\n\"'=HYPERLINK" in paths["scores.csv"].read_bytes()


def test_a_name_that_is_no_utf8_does_no_harm(tmp_path: Path) -> None:
    paths = write_report(hostile("case\udce9"), tmp_path)

    for path in paths.values():
        assert "case\\udce9" in path.read_text(encoding="utf-8")


@given(st.text(), st.text())
def test_text_comes_out_of_markup_as_it_went_in(content: str, attribute: str) -> None:
    plain = content.replace("\r", "").replace("\0", "")
    text = str(tag("p", plain, title=attribute.replace("\r", "").replace("\0", "")))

    assert Page(text).text in ([plain], []) or "".join(Page(text).text) == plain


def test_nothing_that_could_be_scored_is_still_a_report(tmp_path: Path) -> None:
    scored = (Scored(case="a", error="broken"),)
    cases = Cases(cases=(Case(name="a", reference=Path("x")),), layouts=("", ""))
    paths = write_report(
        Evaluation(
            title="t",
            reference_title="r",
            cases=cases,
            rules=RULES,
            scored=scored,
            columns=columns_of(scored),
        ),
        tmp_path,
    )

    assert "broken" in " ".join(Page(paths["report.html"].read_text()).text)
    assert json.loads(paths["summary.json"].read_text())["cases"]["scored"] == 0


def test_metrics_without_a_better_way_are_a_report_too(tmp_path: Path) -> None:
    scored = (Scored(case="a", scores=(Score("liver", "volume_difference", 2.0, "ml"),)),)
    cases = Cases(cases=(Case(name="a", reference=Path("x")),), layouts=("", ""))
    columns = columns_of(scored)
    paths = write_report(
        Evaluation(
            title="t", reference_title="r", cases=cases, rules=RULES, scored=scored, columns=columns
        ),
        tmp_path,
    )

    assert "Volume difference" in " ".join(Page(paths["report.html"].read_text()).text)
