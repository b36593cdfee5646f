"""``delineate models``, run as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from models import described

from delineate.cli import main
from delineate.imaging import Category
from delineate.segmentation.model_file import write_model
from delineate.segmentation.networks import build_network
from delineate.segmentation.structures import Structure

ARGUMENTS = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [2, 4]}
ARGUMENTS |= {"strides": [2]}


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DELINEATE_MODELS", str(tmp_path / "installed"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "installed"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ("spleen", "[bold]lump[/] \x1b[2J")
    model = described(
        folder=tmp_path / "mine",
        name="two-things",
        title="[red]Two[/] things",
        arguments=ARGUMENTS,
        structures=tuple(Structure(Category(name)) for name in names),
    )
    write_model(model, [build_network("UNet", ARGUMENTS).state_dict()])
    return model.folder


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["models", *map(str, arguments)])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def test_a_model_is_added_listed_shown_checked_and_removed(
    folder: Path, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("add", folder, "--name", "mine") == 0
    assert f"mine: 2 labels, licence Apache-2.0, in {installed}" in capsys.readouterr().out
    assert run("list") == 0
    assert "[red]Two[/] things" in capsys.readouterr().out
    assert run("show", "mine") == 0
    shown = capsys.readouterr().out
    assert "SPL, 6, 6, 6 mm" in shown
    assert "[bold]lump[/]" in shown  # as it is called, without effect
    assert "\x1b[2J" not in shown
    assert run("check", "mine") == 0
    assert "mine: mine is whole" in capsys.readouterr().out
    assert run("remove", "mine") == 0
    assert run("show", "mine") == 2
    assert "no model 'mine' is installed" in capsys.readouterr().err


def test_lists_for_machines_are_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("add", folder)
    capsys.readouterr()

    assert run("list", "--json") == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["organs-ct"]["shipped"] is True
    assert found["two-things"]["sampling"]["orientation"] == "SPL"
    assert run("show", "two-things", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in shown["labels"]] == ["spleen", "[bold]lump[/] \x1b[2J"]


def test_one_broken_model_is_named_and_the_others_are_listed(
    folder: Path, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("add", folder)
    run("add", folder, "--name", "broken")
    (installed / "broken" / "weights.safetensors").write_bytes(b"")
    (installed / "worse").mkdir()
    capsys.readouterr()

    assert run("list") == 0
    printed = capsys.readouterr()
    assert "two-things" in printed.out
    assert "worse: no model.json" in printed.err
    assert run("check") == 4
    printed = capsys.readouterr()
    assert "two-things is whole" in printed.out
    assert "2 of the models cannot be used: broken, worse" in printed.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("add", "nowhere"), 4, "there is no nowhere"),
        (("add", ".", "--set", "x"), 2, "expected a setting as KEY=VALUE"),
        (("fetch", "far-away"), 2, "in no list of sources"),
        (("remove", "organs-ct"), 1, "came with delineate and stays"),
    ],
)
def test_what_cannot_be_done_is_said(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    assert run(*arguments) == code
    assert message in capsys.readouterr().err


def test_values_by_hand_reach_the_importer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b" / "configs").mkdir(parents=True)
    (tmp_path / "b" / "configs" / "metadata.json").write_text("{}")

    network = 'network_def={"_target_": "os.system"}'
    assert run("add", tmp_path / "b", "--set", network) == 4
    assert "wants os.system, which is not MONAI's" in capsys.readouterr().err


def test_the_list_of_sources_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"name": "far-away", "url": "https://example.org/m.zip", "sha256": "0" * 64}
    entry |= {"licence": "MIT", "kind": "nnunet"}
    (tmp_path / "list.json").write_text(json.dumps({"sources": [{**entry, "size": 2_000_000}]}))

    assert run("fetch", "--sources", tmp_path / "list.json") == 0
    printed = capsys.readouterr().out
    assert "far-away" in printed
    assert "2.0" in printed
