"""Cards: what they may say, how they are installed, and the commands for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from card_files import names, picture, pointwise

from delineate import delineate
from delineate.cli import main
from delineate.detectors.cards import store
from delineate.detectors.cards.card import parse_card
from delineate.errors import ConflictError, ModelError, NotFoundError
from delineate.plugins import registry
from delineate.plugins.host import Host

CARD: dict[str, Any] = {
    "schema": "delineate/card/1",
    "id": "test.bright",
    "title": "Bright",
    "licence": "MIT",
    "gives": "labelmap",
    "categories": [{"name": "bright", "colour": "#102030"}],
    "onnx": {"file": "net.onnx", "input": {}, "output": {"form": "labels"}},
}


@pytest.fixture(autouse=True)
def cards_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cards"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "cards"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A card and its network: bright from 0.5 on."""
    made = tmp_path / "mine"
    made.mkdir()
    pointwise(made / "net.onnx", (0.0, 10.0), (0.0, -5.0))
    (made / "card.json").write_text(json.dumps(CARD))
    (made / "README.md").write_text("By me.")
    (made / "setup.py").write_text("raise SystemExit('this was run')")
    return made


def changed(**said: Any) -> bytes:
    document = {key: value for key, value in {**CARD, **said}.items() if value is not None}
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"colour": "red"}, "there is no 'colour' in a card"),
        ({"wants": {"tiles": [1, 2, 3]}}, "there is no 'wants.tiles' in a card"),
        ({"wants": {"orientation": "XYZ"}}, "expected an orientation such as 'SPL'"),
        ({"schema": "delineate/card/2"}, "schema: should be 'delineate/card/1', got"),
        ({"id": "../../x"}, "id: String should match pattern"),
        ({"title": None}, "'title' is missing"),
        ({"version": 1}, "version: should be a valid string, got 1"),
        ({"gives": "masks"}, "an output of form 'labels' gives 'labelmap', not 'masks'"),
        ({"gives": None}, "gives 'labelmap', not None"),
        ({"licence": None}, "expected a licence"),
        ({"categories": []}, "expected categories for 'labelmap', got 0"),
        ({"categories": names("a", "a")}, "names of their own"),
        ({"categories": [{"name": "a", "colour": "red"}]}, "String should match pattern"),
        ({"onnx": None}, "expected exactly one of onnx, delineate.* got none"),
        ({"delineate": {"url": "http://a", "detector": "b"}}, "got onnx and delineate"),
        ({"onnx": {**CARD["onnx"], "file": "../net.onnx"}}, "onnx.file: String should match"),
        ({"onnx": {**CARD["onnx"], "file": "card.json"}}, "none card.json"),
        ({"onnx": {**CARD["onnx"], "input": {"size": [4]}}}, "a size of 2 numbers for NCHW"),
        ({"onnx": {**CARD["onnx"], "input": {"fit": "stretch"}}}, "needs a size"),
        ({"onnx": {**CARD["onnx"], "input": {"std": [0.0]}}}, "greater than 0"),
        (
            {"onnx": {**CARD["onnx"], "input": {"dtype": "uint8", "mean": [1.0]}}},
            "which uint8 does not hold",
        ),
        ({"onnx": {**CARD["onnx"], "output": {"form": "labels", "iou": 1}}}, "no 'onnx.output"),
        ({"onnx": {**CARD["onnx"], "output": {"form": "shapes"}}}, "does not match any of the"),
    ],
)
def test_what_a_card_must_not_say_is_named(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_card(changed(**said))


@pytest.mark.parametrize("url", ["ftp://a/b", "http://user:word@a/", "http://a/?x=1", "a.example"])
def test_a_server_has_a_plain_address(url: str) -> None:
    part = {"url": url, "detector": "organs.ct"}

    with pytest.raises(ModelError, match=r"delineate\.url"):
        parse_card(changed(onnx=None, gives=None, categories=[], delineate=part))


def test_a_card_cannot_have_any_secret_sent() -> None:
    part = {"url": "http://a", "detector": "b", "token_env": "AWS_SECRET_ACCESS_KEY"}

    with pytest.raises(ModelError, match=r"delineate\.token_env: String should match pattern"):
        parse_card(changed(onnx=None, gives=None, categories=[], delineate=part))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'])
def test_what_is_no_card_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"is no card"):
        parse_card(content)


def test_a_card_is_read_as_it_was_written() -> None:
    card = parse_card(changed(wants={"modalities": ["CT"], "tile": [1, 64, 64], "overlap": 8}))

    assert parse_card(card.text().encode()) == card
    assert card.wants.overlap == 8


@pytest.mark.parametrize("form", ["folder", "json", "zip", "zip of a folder"])
def test_a_card_is_installed_from(
    folder: Path, cards_folder: Path, tmp_path: Path, form: str
) -> None:
    path = folder
    if form == "json":
        path = (folder / "card.json").rename(folder / "bright.json")
    if form.startswith("zip"):
        path = tmp_path / "card.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for one in folder.iterdir():
                inside = f"mine/{one.name}" if "folder" in form else one.name
                archive.write(one, inside)

    found = store.add(path)

    assert found.folder == cards_folder / "test.bright"
    assert {one.name for one in found.folder.iterdir()} == {"card.json", "net.onnx", "README.md"}
    assert found.card is not None
    assert found.card.onnx is not None
    assert len(found.card.onnx.sha256 or "") == 64
    assert [one.name for one in cards_folder.iterdir()] == ["test.bright"]


def test_an_installed_card_is_a_detector_like_any_other(folder: Path) -> None:
    store.add(folder)
    image = picture(np.array([[0, 1, 1]], np.uint8))

    spec = registry.find("test.bright")
    with Host(spec) as host:
        apart = delineate(image, spec, runner=host)
    here = delineate(image, "test.bright")

    assert spec.categories[0].colour == (0x10, 0x20, 0x30)
    assert here.findings[0].measurements["area_px"] == 2
    assert apart.findings[0].measurements == here.findings[0].measurements


def test_listing_cards_loads_nothing_that_runs_them(folder: Path) -> None:
    store.add(folder)
    code = (
        "import sys; from delineate import list_detectors; "
        "assert 'test.bright' in {spec.id for spec in list_detectors()}; "
        "print(*[m for m in ('torch', 'onnxruntime', 'openvino', 'httpx', 'onnx', 'asyncio') "
        "if m in sys.modules])"
    )

    alone = {**os.environ, "PYTHONPATH": ""}  # without detectors that other tests have installed
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=alone
    )

    assert told.stdout.strip() == ""


def test_an_id_is_taken_once(folder: Path) -> None:
    store.add(folder)

    with pytest.raises(ConflictError, match=r"a card test.bright is installed; remove it first"):
        store.add(folder)


def test_the_id_of_another_detector_is_not_taken(folder: Path) -> None:
    (folder / "card.json").write_bytes(changed(id="organs.ct"))

    with pytest.raises(ConflictError, match=r"organs\.ct is the id of an installed detector"):
        store.add(folder)


@pytest.mark.parametrize(
    ("onnx", "message"),
    [
        ({"file": "none.onnx"}, "names none.onnx, which does not lie beside it"),
        ({"sha256": "0" * 64}, "not the file that the card names: expected sha256 0000"),
        ({"input": {"layout": "NCDHW"}}, "takes 4 axes"),
        ({"output": {"form": "labels", "name": "z"}}, r"has no outputs \['z'\]"),
        ({"external": [{"file": "net.bin"}]}, "names net.bin, which does not lie"),
    ],
)
def test_a_card_that_does_not_run_is_not_installed(
    folder: Path, cards_folder: Path, onnx: dict[str, Any], message: str
) -> None:
    (folder / "card.json").write_bytes(changed(onnx={**CARD["onnx"], **onnx}))

    with pytest.raises(ModelError, match=message):
        store.add(folder)
    assert list(cards_folder.iterdir()) == []


def test_outputs_are_tried_before_a_card_is_installed(folder: Path) -> None:
    (folder / "card.json").write_bytes(changed(categories=names("a", "b", "c")))

    with pytest.raises(Exception, match="expected 4 channels of the output 'y'"):
        store.add(folder)


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "net.onnx").rename(tmp_path / "elsewhere.onnx")
    (folder / "net.onnx").symlink_to(tmp_path / "elsewhere.onnx")

    with pytest.raises(ModelError, match="does not lie beside it"):
        store.add(folder)
    with pytest.raises(ModelError, match="does not lie beside it"):
        store.add(folder / "card.json")


def test_a_broken_card_hides_no_other(folder: Path, cards_folder: Path) -> None:
    store.add(folder)
    (cards_folder / "odd").mkdir()
    (cards_folder / "odd" / "card.json").write_text("{")
    (cards_folder / "empty").mkdir()

    problems = {each.name: each.problem for each in store.stored_cards()}

    assert problems["test.bright"] == ""
    assert "is no card" in problems["odd"]
    assert "there is no card.json" in problems["empty"]
    assert "test.bright" in {spec.id for spec in registry.list_detectors()}
    assert not [one for one in registry.installed().problems if one.name == "cards"]


def test_a_graph_in_several_files_is_installed_whole(folder: Path) -> None:
    import onnx

    model = onnx.load(folder / "net.onnx")
    onnx.save_model(
        model,
        folder / "net.onnx",
        save_as_external_data=True,
        location="net.bin",
        size_threshold=0,
    )
    part = {**CARD["onnx"], "external": [{"file": "net.bin"}]}
    (folder / "card.json").write_bytes(changed(onnx=part))

    found = store.add(folder)

    assert (found.folder / "net.bin").is_file()
    image = picture(np.array([[0, 1, 1]], np.uint8))
    assert delineate(image, "test.bright").findings[0].measurements["area_px"] == 2
    assert len(registry.find("test.bright").weights) == 2


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["cards", *map(str, arguments)])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def test_a_card_is_added_listed_shown_checked_and_removed(
    folder: Path, cards_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "card.json").write_bytes(changed(title="[bold]Bright[/] \x1b[2J"))
    assert run("add", folder) == 0
    assert "test.bright: gives labelmap, runs net.onnx, in" in capsys.readouterr().out
    assert run("list") == 0
    listed = capsys.readouterr().out
    assert "[bold]Bright[/]" in listed
    assert "\x1b[2J" not in listed
    assert run("list", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["card"]["id"] == "test.bright"
    assert run("show", "test.bright") == 0
    assert json.loads(capsys.readouterr().out)["onnx"]["file"] == "net.onnx"
    assert run("check") == 0
    assert "test.bright is as it was when it was added" in capsys.readouterr().out
    assert run("remove", "test.bright") == 0
    assert run("show", "test.bright") == 2
    assert "no card 'test.bright' is installed; there are none" in capsys.readouterr().err
    assert list(cards_folder.iterdir()) == []


def test_a_card_that_was_changed_is_found_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = store.add(folder).folder
    pointwise(installed / "net.onnx", (0.0, 1.0), (0.0, 0.0))

    assert run("check") == 4

    told = capsys.readouterr().err
    assert "test.bright: net.onnx is not the file that the card was added with" in told


def test_unknown_cards_are_named() -> None:
    with pytest.raises(NotFoundError, match="no card 'x' is installed"):
        store.remove("x")


def test_the_verb_and_the_detectors_are_declared() -> None:
    assert "cards" in {point.name for point in entry_points(group="delineate.commands")}
    assert "cards" in {point.name for point in entry_points(group=registry.GROUP)}
