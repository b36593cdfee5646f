"""The client of 3D Slicer's extension drives the whole protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import SimpleITK
from label_scans import banded, scan
from service import Service, service, until
from slicer_client import UNTIDY, load

from delineate.formats import dicom
from delineate.jobs.database import connect
from delineate.jobs.keys import KeyRing

pytestmark = UNTIDY
VIEWER = "http://viewer.example:3000"
SLICER = {"result_extension": ".nrrd", "result_dtype": "uint8"}


@pytest.fixture(scope="module")
def slicer() -> ModuleType:
    return load()


@pytest.fixture
def client(slicer: ModuleType, facade: Service, tmp_path: Path) -> Any:
    return slicer.MONAILabelClient(f"{facade.url}/monailabel", str(tmp_path), "somebody")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """What Slicer saves a volume as."""
    path = tmp_path / "a scan of somebody.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(scan().array), str(path))
    return path


def labels(path: str) -> Any:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))


def imported(path: str, names: list[str]) -> dict[str, int]:
    """Samples of each segment, as Slicer imports a label map with a list of segments: the value
    of a segment is its place in the list, from 1 on, without 'background'.
    """
    array = labels(path)
    named = [name for name in names if name != "background"]
    assert array.max() <= len(named)
    return {name: int((array == place).sum()) for place, name in enumerate(named, 1)}


def test_slicer_connects_runs_a_model_and_submits_a_label(
    client: Any, volume: Path, facade: Service
) -> None:
    assert client.auth_enabled() is False
    info = client.info()
    assert not info.get("config")
    assert isinstance(info["labels"], list)
    assert "background" not in info["labels"]
    assert client.train_status(check_if_running=True) is False
    name = "2: volume / A&B ü"

    assert client.upload_image(str(volume), name) == {"image": name}
    result, params = client.infer("label.bands", name, {**SLICER, "seconds": 0.0})

    order = [key for key, _ in sorted(params["label_names"].items(), key=lambda item: item[1])]
    expected = banded(scan().array)
    assert imported(result, order) == {
        "bone": int((expected == 1).sum()),
        "fat": int((expected == 2).sum()),
        "soft": int((expected == 3).sum()),
    }
    assert info["models"]["label.bands"]["labels"] == params["label_names"]
    assert params["latencies"]["total"] >= params["latencies"]["infer"] >= 0
    told = client.save_label(name, result, params={"label_info": [{"name": "bone", "idx": 1}]})
    assert told["image"] == name
    kept = client.datastore()["objects"][name]["labels"]
    assert kept["final"]["info"]["label_info"] == [{"name": "bone", "idx": 1}]
    assert list(kept["original"]["info"]["params"]["label_names"]) == ["bone", "fat", "soft"]
    for tag in ("final", "original"):
        np.testing.assert_array_equal(labels(client.download_label(name, tag)), expected)
    assert client.info()["datastore"]["completed"] >= 1


@pytest.mark.parametrize("typed", ["/monailabel", "/monailabel/", "", "/"])
def test_the_address_may_be_typed_in_any_way(
    slicer: ModuleType, facade: Service, tmp_path: Path, typed: str
) -> None:
    client = slicer.MONAILabelClient(f"{facade.url}{typed}", str(tmp_path), "somebody")

    assert "label.bands" in client.info()["models"]
    assert client.train_status(check_if_running=True) is False


def test_a_session_is_worked_in_and_gone_afterwards(
    client: Any, slicer: ModuleType, volume: Path, facade: Service
) -> None:
    opened = client.create_session(str(volume))["session_id"]

    assert client.get_session(opened)["expiry"] == 3600
    result, _ = client.infer("label.bands", "a scan: of somebody", dict(SLICER), session_id=opened)
    np.testing.assert_array_equal(labels(result), banded(scan().array))
    image_id = client.get_session(opened)["image"]
    assert image_id not in client.datastore()["objects"]
    assert facade.client.get(f"/v1/images/{image_id}").status_code == 200

    client.remove_session(opened)

    with pytest.raises(slicer.MONAILabelClientException) as gone:
        client.get_session(opened)
    assert gone.value.status_code == 404
    assert facade.client.get(f"/v1/images/{image_id}").status_code == 404


def test_an_image_that_comes_with_the_request_is_not_kept(
    client: Any, volume: Path, facade: Service
) -> None:
    def known() -> tuple[Any, Any]:
        return facade.client.get("/v1/images").json(), facade.client.get("/v1/jobs").json()

    before = known()

    result, _ = client.infer("label.bands", "", dict(SLICER), file=str(volume))

    np.testing.assert_array_equal(labels(result), banded(scan().array))
    assert until(lambda: known() == before or None)


def test_boxes_come_as_markups_and_classes_as_an_empty_label_map(client: Any, volume: Path) -> None:
    found, _ = client.infer("label.boxes", "", dict(SLICER), file=str(volume))
    empty, params = client.infer("label.whole", "", dict(SLICER), file=str(volume))

    assert found.endswith(".json")
    nodes = json.loads(Path(found).read_text())["markups"]
    assert [node["type"] for node in nodes] == ["ROI", "ClosedCurve", "Fiducial"]
    assert not labels(empty).any()
    assert [one["label"] for one in params["prediction"]] == ["soft", "bone"]
    assert [one["score"] for one in params["prediction"]] == [0.75, 0.25]


def test_what_cannot_be_done_is_told_in_words(
    client: Any, slicer: ModuleType, volume: Path
) -> None:
    for model, words in (
        ("label.layers", "overlaps"),
        ("label.many", "300 labels"),
        ("label.none", "there is no model"),
        ("label.lost", "Lost"),
    ):
        with pytest.raises(slicer.MONAILabelClientException) as refused:
            client.infer(model, "", dict(SLICER), file=str(volume))
        assert words in refused.value.msg, model


def test_overlapping_structures_come_in_layers(client: Any, volume: Path) -> None:
    wanted = {"result_extension": ".seg.nrrd", "result_dtype": "uint8"}

    result, _ = client.infer("label.layers", "", wanted, file=str(volume))

    assert result.endswith(".seg.nrrd")
    array = labels(result)
    samples = scan().array
    assert array.shape == (*samples.shape, 2)
    np.testing.assert_array_equal(array.any(axis=-1), samples >= 0)


@pytest.fixture(scope="module")
def fresh(
    label_site: str, slicer: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service of its own, with keys."""
    data = tmp_path_factory.mktemp("keys") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", label_site)
        with service(data, keys_required=True, origins=(VIEWER,)) as one:
            yield one


def test_a_viewer_elsewhere_may_ask_if_it_is_named(fresh: Service) -> None:
    def allowed(origin: str) -> str | None:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        asked["Access-Control-Request-Headers"] = "content-type"
        told = fresh.client.options("/monailabel/infer/label.bands?image=1", headers=asked)
        return told.headers.get("access-control-allow-origin")

    assert allowed(VIEWER) == VIEWER
    assert allowed("http://elsewhere.example") is None


def test_with_keys_the_password_is_a_key_and_next_sample_serves_dicom(
    fresh: Service, slicer: ModuleType, tmp_path: Path
) -> None:
    database = connect(fresh.settings.database_url)
    _, key = KeyRing(database).add("radiographer", "ward-3", ("read", "upload", "run"))
    database.dispose()
    client = slicer.MONAILabelClient(f"{fresh.url}/monailabel", str(tmp_path), "somebody")
    assert client.auth_enabled() is True
    with pytest.raises(slicer.MONAILabelClientException) as refused:
        client.info()
    assert refused.value.status_code == 401
    with pytest.raises(slicer.MONAILabelClientException):
        client.auth_token("somebody", "wrong")
    client.update_auth(client.auth_token("anybody", key))
    assert client.auth_valid_token()
    files = dicom.write_series(scan("oblique"), tmp_path / "series", patient_id="P-77")
    fresh.client.headers["Authorization"] = f"Bearer {key}"
    fresh.upload(files).raise_for_status()

    sample = client.next_sample("first", {})

    assert sample["PatientID"] == "P-77"
    assert sample["id"] == sample["SeriesInstanceUID"]
    assert "path" not in sample
    got = fresh.client.get("/monailabel/datastore/image", params={"image": sample["id"]})
    path = tmp_path / sample["name"]
    path.write_bytes(got.content)
    np.testing.assert_array_equal(labels(str(path)), scan("oblique").array)
    result, _ = client.infer("label.bands", sample["id"], dict(SLICER))
    client.save_label(sample["id"], result, params={})
    assert client.next_sample("first", {}) == {}
    assert client.next_sample("random", {}) == {}
