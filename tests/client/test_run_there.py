"""``delineate run --server``: the files of a local run, an interruption that cancels the job."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from service import Service, series, until

from delineate.cli import main


def delineate(*arguments: object) -> int:
    try:
        main([str(one) for one in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def timeless(folder: Path) -> dict[str, Any]:
    """A result's document without when it was made and how long that took."""
    document = json.loads((folder / "delineation.json").read_text())
    for one in ("created", "seconds"):
        document["provenance"].pop(one)
    return dict(document)


def test_a_run_there_writes_the_files_of_a_run_here(running: Service, tmp_path: Path) -> None:
    board = np.full((200, 300), 40, np.uint8)
    for row in (30, 70, 110, 150):
        board[row : row + 10, 20:280] = 200
    faulty = board.copy()
    faulty[70:80, 120:140] = 40
    faulty[115:150, 200:210] = 200
    Pillow.fromarray(board).save(tmp_path / "good.png")
    Pillow.fromarray(faulty).save(tmp_path / "board.png")
    asked = ("run", tmp_path / "board.png", "--detector", "defects.compare")
    asked += ("--option", f"template={tmp_path / 'good.png'}", "--spacing-mm", "0.1")
    asked += ("--option", "copper=bright", "--export", "png,coco,csv,geojson")

    here = delineate(*asked, "--out", tmp_path / "here")
    there = delineate(*asked, "--out", tmp_path / "there", "--server", running.url)

    assert (here, there) == (0, 0)
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "there").iterdir())
    assert len(names) == 6
    first, second = (timeless(tmp_path / one) for one in ("here", "there"))
    # There an option names the image by its id; what it holds is the same.
    for document in (first, second):
        document["provenance"]["options"].pop("template")
    assert first["findings"]
    assert first == second
    for name in ("measurements.csv", "contours.geojson", "sheet.png"):
        bytes_here = (tmp_path / "here" / name).read_bytes()
        assert bytes_here == (tmp_path / "there" / name).read_bytes(), name
    coco = [json.loads((tmp_path / one / "coco.json").read_text()) for one in ("here", "there")]
    assert coco[0]["annotations"] == coco[1]["annotations"]  # the rest says when it was made


def test_detectors_there_are_listed(running: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert delineate("detectors", "--server", running.url, "--json") == 0

    listed = json.loads(capsys.readouterr().out)
    assert "test.bright" in [one["id"] for one in listed]


def test_errors_have_the_exit_codes_of_a_run_here(running: Service, tmp_path: Path) -> None:
    series(tmp_path / "ct")
    (tmp_path / "letter.txt").write_text("a letter")
    common = ("--server", running.url, "--out", tmp_path / "out")

    codes = [
        delineate("run", tmp_path / "ct", "--detector", "test.nothing", *common),
        delineate("run", tmp_path / "letter.txt", "--detector", "test.bright", *common),
        delineate("run", tmp_path / "ct", "--detector", "test.crash", *common),
    ]

    assert codes == [2, 3, 4]


def test_ctrl_c_cancels_the_job(running: Service, tmp_path: Path) -> None:
    series(tmp_path / "ct")
    command = [sys.executable, "-m", "delineate.cli", "run", str(tmp_path / "ct")]
    command = [sys.executable, "-c", "from delineate.cli import main; main()", *command[3:]]
    asked = ["--detector", "test.bright", "--option", "seconds=60", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        [*command, *asked, "--server", running.url],
        stderr=subprocess.DEVNULL,
        env=os.environ,
        # Whoever runs the tests in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    def begun() -> dict[str, Any] | None:
        listed = running.client.get("/v1/jobs", params={"state": "running"}).json()["jobs"]
        return listed[0] if listed else None

    job = until(begun)
    process.send_signal(signal.SIGINT)

    assert process.wait(30) != 0
    assert running.wait(job["id"], seconds=30)["state"] == "cancelled"
    assert not (tmp_path / "out" / "delineation.json").exists()
