"""Two and more raters: worked by hand, and what they agree on is what most of them mean."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from folders import GRID, LIVER, SPLEEN, box, labels, write
from test_report import Page

from delineate.cli import main
from delineate.errors import InputError, OptionError
from delineate.evaluation.agreement import consensus
from delineate.evaluation.raters import agreement
from delineate.formats.annotations import read_annotation


@pytest.fixture
def raters(tmp_path: Path) -> dict[str, Path]:
    """Two draw the same; the third draws the liver a row too low and, in c1, no spleen."""
    boxes = {
        "anna": ({1: LIVER, 2: SPLEEN}, {1: box(0, 2), 2: SPLEEN}),
        "ben": ({1: LIVER, 2: SPLEEN}, {1: box(0, 2), 2: SPLEEN}),
        "cem": ({1: box(1), 2: SPLEEN}, {1: box(1, 2)}),
    }
    for rater, cases in boxes.items():
        for number, drawn in enumerate(cases):
            write(tmp_path / rater, f"c{number}", labels(drawn))
    return {rater: tmp_path / rater for rater in boxes}


def test_agreement_by_hand(raters: dict[str, Path]) -> None:
    liver, spleen = agreement(raters)

    assert (liver.structure, liver.cases) == ("liver", 2)
    # c0: 3 of 4 rows shared, 0.75; c1: 1 of 2, 0.5.
    assert liver.dice == {
        ("anna", "ben"): 1.0,
        ("anna", "cem"): pytest.approx(0.625),
        ("ben", "cem"): pytest.approx(0.625),
    }
    assert spleen.dice["anna", "cem"] == pytest.approx(0.5)
    assert liver.volumes is not None
    assert liver.volumes.value == 1  # as large as the others', wherever it lies
    assert spleen.quality["anna"] == pytest.approx((1, 1), abs=1e-3)
    assert spleen.quality["cem"][0] == pytest.approx(0.5, abs=1e-3)


def test_the_consensus_is_what_most_of_them_drew(raters: dict[str, Path], tmp_path: Path) -> None:
    agreement(raters, keep=tmp_path / "meant")

    (layer,) = read_annotation(tmp_path / "meant" / "c1.zip", GRID).layers

    named = {one.name: layer.mask(label) for label, one in layer.categories.items()}
    expected = labels({1: box(0, 2), 2: SPLEEN})
    np.testing.assert_array_equal(named["liver"], expected.mask(1))
    np.testing.assert_array_equal(named["spleen"], expected.mask(2))


def test_raters_in_another_order_agree_as_far(raters: dict[str, Path]) -> None:
    there = {one.structure: one for one in agreement(raters)}
    back = {one.structure: one for one in agreement(dict(reversed(raters.items())))}

    assert there.keys() == back.keys()
    for name, one in there.items():
        assert back[name].kappa == pytest.approx(one.kappa)
        assert sorted(back[name].dice.values()) == pytest.approx(sorted(one.dice.values()))


def test_one_rater_or_no_common_case_is_refused(raters: dict[str, Path], tmp_path: Path) -> None:
    write(tmp_path / "dora", "x", labels({1: LIVER}))

    with pytest.raises(OptionError, match="at least two raters"):
        agreement({"anna": raters["anna"]})
    with pytest.raises(InputError, match="no case in common"):
        agreement({"anna": raters["anna"], "dora": tmp_path / "dora"})


def test_the_command_writes_a_long_table(raters: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "agreement.csv"

    with pytest.raises(SystemExit) as stop:
        main(["agree", *map(str, raters.values()), "--out", str(out)])

    assert stop.value.code == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = {
            (row["structure"], row["measure"], row["raters"]): float(row["value"] or "nan")
            for row in csv.DictReader(file)
        }
    assert rows["liver", "dice", "anna / cem"] == pytest.approx(0.625)
    assert 0.5 <= rows["liver", "dice_low", "anna / cem"] <= 0.625
    assert rows["liver", "dice_high", "anna / cem"] <= 0.75
    assert np.isnan(rows["liver", "dice_low", "anna / ben"])  # alike in every case
    assert rows["spleen", "sensitivity", "cem"] == pytest.approx(0.5, abs=1e-3)


def test_the_page_tells_every_rater_and_is_the_same_each_time(
    raters: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        with pytest.raises(SystemExit) as stop:
            main(
                [
                    *("agree", *map(str, raters.values()), "--out", str(tmp_path / "a.csv")),
                    *("--report", str(tmp_path / f"{name}.html")),
                ]
            )
        assert stop.value.code == 0

    text = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert text == (tmp_path / "two.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.tags & {"script", "link", "iframe", "object", "form"}
    words = " ".join(page.text)
    for expected in ("Dice, anna / cem", "0.625", "sensitivity, ben", "STAPLE", "scipy"):
        assert expected in words


def test_a_page_of_another_ending_is_refused(raters: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(
            [
                *("agree", *map(str, raters.values()), "--out", str(tmp_path / "a.csv")),
                *("--report", str(tmp_path / "a.pdf")),
            ]
        )

    assert stop.value.code
    assert not (tmp_path / "a.csv").exists()


def staple(masks: list[np.ndarray], rounds: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Probability of each sample, and sensitivity and specificity of each rater, by the paper.

    Warfield, Zou and Wells 2004, equations 15 to 19; the prior is the share of all votes.
    """
    votes = np.stack([mask.ravel() for mask in masks]).astype(float)
    prior = votes.mean()
    sensitivity = specificity = np.full(len(masks), 0.99999)[:, None]
    for _ in range(rounds):
        inside = prior * np.prod(np.where(votes, sensitivity, 1 - sensitivity), axis=0)
        outside = (1 - prior) * np.prod(np.where(votes, 1 - specificity, specificity), axis=0)
        weight = inside / (inside + outside)
        sensitivity = (votes @ weight / weight.sum())[:, None]
        specificity = ((1 - votes) @ (1 - weight) / (1 - weight).sum())[:, None]
    return weight, np.column_stack((sensitivity, specificity))


def test_the_consensus_is_that_of_its_authors_formulae() -> None:
    random = np.random.default_rng(2)
    true = np.zeros((4, 14, 14), bool)
    true[:, 3:10, 4:11] = True
    masks = [true ^ (random.random(true.shape) < error) for error in (0.02, 0.06, 0.15)]
    for mask in masks:  # the box around them is all there is
        mask[0, 0, 0] = mask[-1, -1, -1] = True

    meant, quality = consensus(masks)

    weight, expected = staple(masks)
    np.testing.assert_allclose(quality, expected, atol=2e-3)
    unsure = np.abs(weight - 0.5) < 0.02
    np.testing.assert_array_equal(meant.ravel()[~unsure], weight[~unsure] >= 0.5)
