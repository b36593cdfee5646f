"""Installed models: there whole or not at all, and one that is broken hides no other."""

from __future__ import annotations

import json
import os
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from models import described

from delineate.errors import ConflictError, DelineateError, ModelError, NotFoundError, OptionError
from delineate.segmentation import store
from delineate.segmentation.model import Tiles
from delineate.segmentation.model_file import write_model
from delineate.segmentation.networks import build_network

ARGUMENTS = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [2, 4]}
ARGUMENTS |= {"strides": [2]}


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "installed"
    monkeypatch.setenv("DELINEATE_MODELS", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(2)
    model = described(folder=tmp_path / "mine", name="two-things", arguments=ARGUMENTS)
    write_model(model, [build_network("UNet", ARGUMENTS).state_dict()])
    return model.folder


def _zipped(folder: Path, *, within: bool) -> Path:
    root = folder.parent if within else folder
    base = folder.name if within else None
    return Path(shutil.make_archive(str(folder.parent / "packed"), "zip", root, base))


def _names() -> list[str]:
    return [each.name for each in store.installed_models()]


@pytest.mark.parametrize("form", ["folder", "zip", "zip of the folder"])
def test_a_model_that_is_added_is_found_checked_and_removed(
    folder: Path, installed: Path, form: str
) -> None:
    (folder / "README.md").write_text("what it is")
    (folder / "setup.py").write_text("raise SystemExit")
    given = folder if form == "folder" else _zipped(folder, within=form == "zip of the folder")

    model = store.add(given)

    assert model.folder == installed / "two-things"
    assert store.find_model("two-things").key == model.key
    assert _names() == ["organs-ct", "two-things"]
    assert sorted(os.listdir(model.folder)) == ["README.md", "model.json", "weights.safetensors"]
    (checked,) = store.check("two-things")
    assert checked.tile == (8, 8, 8)
    assert checked.weights_bytes == (folder / "weights.safetensors").stat().st_size
    store.remove("two-things")
    assert _names() == ["organs-ct"]
    assert os.listdir(installed) == []


def test_the_same_name_twice_needs_another(folder: Path) -> None:
    store.add(folder)

    with pytest.raises(ConflictError, match="a model two-things is installed; remove it first"):
        store.add(folder)
    assert store.add(folder, "another.one-2").name == "another.one-2"
    assert _names() == ["another.one-2", "organs-ct", "two-things"]


def test_two_at_once_do_not_mix(folder: Path) -> None:
    outcomes: list[object] = []

    def add() -> None:
        try:
            outcomes.append(store.add(folder).name)
        except ConflictError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, outcomes)).count("two-things") == 1
    assert outcomes.count(ConflictError) == 3
    assert store.check("two-things")


@pytest.mark.parametrize("name", ["../evil", "Two Things", "", "a/b", ".hidden", "a" * 100, "x."])
def test_a_name_that_is_no_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ModelError, match="expected a name of lower-case letters"):
        store.add(folder, name)


def test_a_broken_model_is_reported_and_hides_no_other(folder: Path, installed: Path) -> None:
    store.add(folder)
    store.add(folder, "broken")
    (installed / "broken" / "model.json").write_text("{")
    (installed / "empty").mkdir()
    (installed / "a file").write_text("")

    found = {each.name: each for each in store.installed_models()}

    assert set(found) == {"broken", "empty", "organs-ct", "two-things"}
    assert "is not JSON" in found["broken"].problem
    assert "expected a model folder" in found["empty"].problem
    assert found["two-things"].model is not None
    with pytest.raises(ModelError, match="is not JSON"):
        store.find_model("broken")
    store.remove("broken")
    assert not (installed / "broken").exists()


def test_what_is_not_installed_is_said_with_what_is() -> None:
    for act in (store.find_model, store.remove, store.check):
        with pytest.raises(NotFoundError, match=r"no model 'x' is installed; there are organs-ct"):
            act("x")


def test_what_came_with_the_package_stays() -> None:
    with pytest.raises(ConflictError, match="came with delineate and stays"):
        store.remove("organs-ct")


def _spoil(folder: Path, kind: str) -> None:
    weights, description = folder / "weights.safetensors", folder / "model.json"
    content: dict[str, Any] = json.loads(description.read_text())
    if kind == "truncated":
        weights.write_bytes(weights.read_bytes()[:-5])
    elif kind == "absent":
        weights.unlink()
    elif kind == "another network":
        content["network"]["arguments"]["channels"] = [4, 8]
    elif kind == "code":
        content["network"]["name"] = "os.system"
    elif kind == "absurd":
        content["network"]["arguments"]["channels"] = [99_999, 99_999]
    elif kind == "bad name":
        content["name"] = "../../evil"
    description.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "truncated or was changed"),
        ("absent", "cannot be read"),
        ("another network", "does not fit network"),
        ("code", "'os.system' is not allowed"),
        ("absurd", "2,000,000,000 weights"),
        ("bad name", "expected a name of lower-case letters"),
    ],
)
def test_what_is_broken_is_not_installed(
    folder: Path, installed: Path, kind: str, message: str
) -> None:
    _spoil(folder, kind)

    with pytest.raises(ModelError, match=message):
        store.add(folder)
    assert os.listdir(installed) == []


def test_a_model_that_breaks_later_does_not_pass_the_check(folder: Path, installed: Path) -> None:
    store.add(folder)
    _spoil(installed / "two-things", "truncated")

    with pytest.raises(ModelError, match="truncated or was changed"):
        store.check("two-things")


def test_a_network_that_does_not_take_its_own_tiles_is_not_installed(
    tmp_path: Path, installed: Path
) -> None:
    arguments = {**ARGUMENTS, "channels": [2, 4, 8], "strides": [2, 2]}
    model = described(folder=tmp_path / "m", arguments=arguments, tiles=Tiles(shape=(6, 6, 6)))
    write_model(model, [build_network("UNet", arguments).state_dict()])

    with pytest.raises(ModelError, match="does not take its own tiles of 6 x 6 x 6"):
        store.add(tmp_path / "m")
    shutil.copytree(tmp_path / "m", installed / "plain")
    with pytest.raises(ModelError, match="does not take its own tiles of 6 x 6 x 6"):
        store.check("plain")


@pytest.mark.parametrize("shape", [(9000, 9000, 9000), (1024, 1024, 1024), (1, 5000, 1)])
def test_tiles_of_absurd_size_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected tiles of at most"):
        Tiles(shape=shape)


def test_the_id_of_its_detector_names_a_model_as_well(folder: Path) -> None:
    store.add(folder)

    assert store.find_model("models.two-things").name == "two-things"
    assert store.find_model("organs.ct").name == store.find_model("organs-ct").name == "organs-ct"


@pytest.mark.parametrize("name", ["organs-ct", "organs.ct"])
def test_the_name_of_a_shipped_model_is_taken(folder: Path, name: str) -> None:
    with pytest.raises(ConflictError, match="came with delineate; give another"):
        store.add(folder, name)


@pytest.mark.parametrize("name", ["../evil.json", "/tmp/evil.json", "C:evil.json", "a/../../x.md"])
def test_a_zip_that_leaves_its_folder_is_refused(folder: Path, installed: Path, name: str) -> None:
    path = _zipped(folder, within=False)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), "{}")

    with pytest.raises(DelineateError, match=r"absolute or broken name|points out of its folder"):
        store.add(path)
    assert os.listdir(installed) == []


def test_a_zip_bomb_is_refused(folder: Path, installed: Path) -> None:
    path = _zipped(folder, within=False)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("bomb.json", "w", force_zip64=True) as out,
    ):
        for _ in range(600):
            out.write(bytes(1 << 20))

    with pytest.raises(DelineateError, match="unpacks to more than is allowed"):
        store.add(path)
    assert os.listdir(installed) == []


def test_links_in_a_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    (folder / "linked.json").symlink_to(secret)
    (folder / "weights.safetensors").rename(tmp_path / "w.safetensors")
    (folder / "weights.safetensors").symlink_to(tmp_path / "w.safetensors")

    with pytest.raises(ModelError, match="cannot be read"):
        store.add(folder)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "text").write_text("x")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 and no more")

    for name, message in (
        ("nothing", "expected a model folder .*MONAI bundle .*nnU-Net"),
        ("text", "neither a folder nor a zip"),
        ("cut.zip", "damaged or was cut off"),
        ("absent", "there is no"),
    ):
        with pytest.raises(ModelError, match=message):
            store.add(tmp_path / name)


def test_a_model_folder_takes_no_values_by_hand(folder: Path) -> None:
    with pytest.raises(OptionError, match="no setting pixdim"):
        store.add(folder, settings={"pixdim": [1, 1, 1]})


def test_bundles_and_result_folders_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "bundle" / "configs").mkdir(parents=True)
    (tmp_path / "bundle" / "configs" / "metadata.json").write_text("{}")
    (tmp_path / "result" / "fold_0").mkdir(parents=True)
    for name in ("plans.json", "dataset.json", "fold_0/checkpoint_final.pth"):
        (tmp_path / "result" / name).write_text("{}")

    with pytest.raises(ModelError, match="the bundle's configuration has no network"):
        store.add(tmp_path / "bundle")
    with pytest.raises(ModelError, match=r"checkpoint_final\.pth is no checkpoint"):
        store.add(tmp_path / "result")


def test_the_folder_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELINEATE_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert store.models_folder() == Path("/data/delineate/models")

    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert store.models_folder() == Path("/home/me/.local/share/delineate/models")
