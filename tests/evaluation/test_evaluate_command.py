"""``delineate evaluate`` and ``delineate batch`` as people type them, in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from campaigns.evaluate_kill import PROGRAM, campaign, digests
from folders import LIVER, SPLEEN, box, labels, pairs, write
from service import ct, install_detectors

from delineate.cli import main
from delineate.evaluation import Scoring
from delineate.evaluation.case import Case, Rules, Scored
from delineate.evaluation.pool import score_all
from delineate.formats import dicom
from delineate.imaging import Category, LabelMap

DICE = Rules(scoring=Scoring(metrics=("dice",)))


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    code = stop.value.code
    assert isinstance(code, int)
    return code


def evaluate(root: Path, out: Path, *more: object) -> int:
    sides = (root / "prediction", root / "reference")
    return run("evaluate", *sides, "--out", out, "--metrics", "dice,hd95", "--workers", 1, *more)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    pairs(tmp_path)
    return tmp_path


def test_the_table_is_printed_and_the_files_are_there(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(root, root / "out") == 0

    said = capsys.readouterr()
    assert "0.750" in said.out
    assert "3 cases" in said.out
    files = {path.name for path in (root / "out").iterdir()}
    assert files == {"cases", "scores.csv", "summary.json", "report.html"}


def test_names_that_no_case_has_are_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root / "prediction", "c0", labels({1: LIVER, 2: SPLEEN}, {1: Category("hepar")}))
    given = ("--map", "hepar=liver", "--map", "milt=spleen")
    given += ("--tolerance", "Liver=1", "--tolerance", "livre=1")
    assert evaluate(root, root / "out", *given) == 0

    said = capsys.readouterr().err
    assert "no case has what --map names, so that it is without effect: milt=spleen\n" in said
    assert "no case has what --tolerance names, so that it is without effect: livre\n" in said
    document = json.loads((root / "out" / "summary.json").read_text())
    assert document["unused"] == {"map": ["milt=spleen"], "tolerance": ["livre"]}
    assert "no case has: without effect" in (root / "out" / "report.html").read_text()


def test_names_without_a_partner_are_told_on_the_terminal(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        write(root / "prediction", f"c{number}", labels({1: LIVER, 2: SPLEEN}, {}))
    assert evaluate(root, root / "out") == 0

    assert "say what they are with --prediction-labels (3 cases)" in capsys.readouterr().err


def test_the_gate_fails_with_the_rows_and_code_1(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(root, root / "out", "--require", "spleen.dice>=0.95") == 0
    assert evaluate(root, root / "out", "--require", "liver.dice>=0.75") == 1

    assert "liver.dice>=0.75: c2 liver is 0.5" in capsys.readouterr().err


def test_a_broken_file_is_told_and_the_others_are_scored(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "prediction" / "c1.nii.gz").write_bytes(b"nothing")
    (root / "reference" / "c1.nii.gz").write_bytes(b"nothing")

    assert evaluate(root, root / "out") == 3

    assert "c1 failed: reference: " in capsys.readouterr().err
    document = json.loads((root / "out" / "summary.json").read_text())
    assert document["cases"]["scored"] == 2
    assert [one["case"] for one in document["cases"]["failed"]] == ["c1"]


def test_a_case_without_a_prediction_counts_as_missed_and_strict_refuses_it(root: Path) -> None:
    (root / "prediction" / "c0.nii.gz").unlink()

    assert evaluate(root, root / "out") == 0
    assert evaluate(root, root / "out", "--strict") == 3

    rows = json.loads((root / "out" / "summary.json").read_text())["scores"]
    liver = next(row for row in rows if (row["structure"], row["metric"]) == ("liver", "dice"))
    assert (liver["n"], liver["missed"], liver["mean"]) == (3, 1, pytest.approx(1.25 / 3, abs=1e-6))


@pytest.mark.parametrize(
    "more",
    [
        ("--metrics", "dise"),
        ("--require", "liver"),
        ("--tolerance", "liver"),
        ("--tolerance", "liver=x"),
        ("--group", "sex"),
        ("--map", "=liver"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_written(root: Path, more: Sequence[str]) -> None:
    assert evaluate(root, root / "out", *more) in (2, 3)
    assert not (root / "out").exists()


def test_two_predictions_are_compared(root: Path) -> None:
    for number in range(3):
        write(root / "better", f"c{number}", labels({1: LIVER, 2: SPLEEN}))

    assert evaluate(root, root / "out", "--compare", root / "better") == 0

    document = json.loads((root / "out" / "summary.json").read_text())["comparison"]
    rows = {(row["structure"], row["metric"]): row for row in document["scores"]}
    liver = rows["liver", "dice"]
    assert (liver["difference"], liver["better"], liver["worse"]) == (-0.25, 0, 2)
    assert rows["spleen", "dice"]["p"] == 1
    assert (root / "out" / "scores-compared.csv").is_file()


def test_another_run_into_the_folder_leaves_nothing_of_the_first(root: Path) -> None:
    evaluate(root, root / "fresh")
    write(root / "prediction", "c2", labels({1: box(3)}))
    evaluate(root, root / "used")
    write(root / "prediction", "c2", labels({1: box(2), 2: SPLEEN}))
    (root / "used" / "cases" / ".1.x.json.part").write_bytes(b"half")
    evaluate(root, root / "used")

    assert digests(root / "used") == digests(root / "fresh")


def _kills_itself(cases: Sequence[Case], *_: object) -> list[Scored]:
    """Stands in for a case that takes all memory: its process is killed."""
    if any(case.name == "c2" for case in cases):
        os.kill(os.getpid(), signal.SIGKILL)
    return [Scored(case=case.name) for case in cases]


def test_a_case_that_kills_its_process_fails_alone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delineate.evaluation.pool.score_chunk", _kills_itself)
    cases = [Case(name=f"c{number}", reference=root) for number in range(5)]

    found = score_all(cases, DICE, None, workers=2)

    assert [one.case for one in found] == ["c0", "c1", "c2", "c3", "c4"]
    assert [bool(one.error) for one in found] == [False, False, True, False, False]
    assert "its process died" in found[2].error


def test_a_script_needs_no_guard_to_let_several_processes_work(root: Path) -> None:
    script = root / "script.py"
    script.write_text(
        "import sys\nfrom delineate.evaluation import evaluate\nprint('run')\n"
        "found = evaluate(sys.argv[1], sys.argv[2], workers=2)\n"
        "print([one.error for one in found.scored])\n"
    )
    command = [sys.executable, str(script), str(root / "prediction"), str(root / "reference")]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == "run\n['', '', '']\n"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_random_and_run_again_it_leaves_the_same_bytes(tmp_path: Path) -> None:
    outcome = campaign(tmp_path, kills=1, cases=8)

    assert outcome.kills == 1
    assert outcome.files == 8 + 4
    assert (outcome.different, outcome.left_over, outcome.survivors) == (0, 0, 0)


def test_a_batch_segments_keeps_and_scores(tmp_path: Path) -> None:
    image, out = ct(), tmp_path / "out"
    bright = LabelMap((image.array > 100).astype(np.uint8), image.grid, {1: Category("lit")})
    for name in ("c0", "c1"):
        (tmp_path / "images" / name).mkdir(parents=True)
        write(tmp_path / "reference", name, bright)
    dicom.write_series(image, tmp_path / "images" / "c0")
    (tmp_path / "images" / "c1" / "slice.dcm").write_bytes(b"nothing")
    order = ["batch", tmp_path / "images", "--detector", "test.bright", "--out", out]
    order += ["--reference", tmp_path / "reference", "--workers", "1", "--metrics", "dice"]
    order += ["--map", "bright=lit", "--require", "lit.dice.max>=1"]
    environment = {**os.environ, "PYTHONPATH": install_detectors(tmp_path / "site")}

    def batch(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    other_options = batch(*order[:6], "--option", "threshold=4000")
    assert other_options.returncode == 3, other_options.stderr
    first = batch(*order)
    assert first.returncode == 3, first.stderr
    kept = digests(out)
    again = batch(*order)

    assert again.returncode == 3
    assert digests(out) == kept  # the time at which the result was found among them: it was kept
    assert "c1 failed" in first.stderr
    document = json.loads((out / "summary.json").read_text())
    assert document["cases"]["without_prediction"] == ["c1"]
    (row,) = document["scores"]
    assert (row["n"], row["missed"], row["maximum"]) == (2, 1, 1.0)  # found anew
    assert "it has no result" in " ".join(document["notes"]["c1"])
