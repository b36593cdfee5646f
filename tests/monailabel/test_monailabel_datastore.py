"""Images under names, labels under tags, the original ones out of jobs; batches; tenants."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from label_scans import banded, scan
from postgresql import Server, server
from service import Service, until

from delineate.formats import dicom
from delineate.jobs.database import connect, migrate
from delineate.jobs.datastore import Datastore

__all__ = ["server"]

ROOT = "/monailabel/datastore"


@pytest.fixture(params=["sqlite", "postgresql"])
def datastore(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Datastore]:
    url = f"sqlite:///{tmp_path / 'some.db'}"
    if request.param == "postgresql":
        running: Server = request.getfixturevalue("server")
        url = running.fresh()
    database = connect(url)
    migrate(database)
    yield Datastore(database)
    database.dispose()


def test_names_labels_and_sessions_are_each_tenant_s_own(datastore: Datastore) -> None:
    datastore.name("ward-1", "scan", "a" * 64)
    datastore.name("ward-1", "scan", "b" * 64)
    datastore.keep("ward-1", "1.2.3.4", "final", {"by": 1}, image_id="c" * 64)
    session = datastore.open_session("ward-1", "d" * 64, 60)

    assert datastore.named("ward-1", "scan") == "b" * 64
    assert datastore.keep("ward-1", "1.2.3.4", "final", {"by": 2}, markups="{}") == "c" * 64
    assert datastore.label("ward-1", "1.2.3.4", "final").info == {"by": 2}
    assert datastore.session("ward-1", session.id, use=True).image_id == "d" * 64
    assert datastore.named("ward-2", "scan") is None
    assert datastore.labels("ward-2") == []
    assert not datastore.tell("ward-2", "1.2.3.4", "final", {})
    for look in (
        lambda: datastore.label("ward-2", "1.2.3.4", "final"),
        lambda: datastore.session("ward-2", session.id),
    ):
        with pytest.raises(LookupError, match="no"):
            look()


def test_labels_go_with_their_image(facade: Service, tmp_path: Path) -> None:
    files = dicom.write_series(scan(), tmp_path / "series", seed="ml labels")
    uid = facade.upload(files).raise_for_status().json()["report"]["series"][0]["id"]
    where = {"image": uid, "tag": "second-reader"}
    drawn = SimpleITK.GetImageFromArray(banded(scan().array))
    SimpleITK.WriteImage(drawn, str(tmp_path / "drawn.seg.nrrd"))
    sent = {"label": ("/a/b/drawn.seg.nrrd", (tmp_path / "drawn.seg.nrrd").read_bytes())}

    told = facade.client.put(f"{ROOT}/label", params=where, files=sent).raise_for_status().json()

    of_label = {"label": uid, "tag": "second-reader"}
    info = {"params": '{"comment": "good"}'}
    facade.client.put(f"{ROOT}/updatelabelinfo", params=of_label, data=info).raise_for_status()
    known = facade.client.get(f"{ROOT}/label/info", params=of_label).json()
    assert known["comment"] == "good"
    got = facade.client.get(f"{ROOT}/label", params=of_label)
    assert got.content == sent["label"][1]
    assert got.headers["content-disposition"].endswith('.seg.nrrd"')
    assert facade.client.head(f"{ROOT}/label", params=where).status_code == 200
    reference = facade.client.post(
        "/v1/jobs",
        json={
            "image_id": facade.upload(files).json()["id"],
            "detector": "label.bands",
            "options": {"other": told["label_image_id"]},
        },
    )
    assert facade.wait(reference.json()["id"])["state"] == "done", "a label is a reference"

    facade.client.delete(f"{ROOT}/image", params={"id": uid}).raise_for_status()

    assert facade.client.get(f"/v1/images/{told['label_image_id']}").status_code == 404
    assert facade.client.head(f"{ROOT}/label", params=where).status_code == 404
    assert uid not in facade.client.get(f"{ROOT}/?output=all").json()["objects"]


def test_a_file_without_labels_is_no_label(facade: Service, tmp_path: Path) -> None:
    files = dicom.write_series(scan(), tmp_path / "series", seed="ml no label")
    uid = facade.upload(files).raise_for_status().json()["report"]["series"][0]["id"]
    noise = np.random.default_rng(1).normal(size=(5, 7, 9)).astype(np.float32)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise), str(tmp_path / "noise.nrrd"))
    for name, content in (
        ("noise.nrrd", (tmp_path / "noise.nrrd").read_bytes()),
        ("broken.nii.gz", b"no NIfTI"),
        ("broken.json", b"{"),
    ):
        answer = facade.client.put(
            f"{ROOT}/label", params={"image": uid}, files={"label": (name, content)}
        )
        assert answer.status_code == 422, (name, answer.text)
    markups = {"label": ("found.json", b'{"markups": []}')}
    where = {"image": uid, "tag": "boxes"}
    facade.client.put(f"{ROOT}/label", params=where, files=markups).raise_for_status()
    got = facade.client.get(f"{ROOT}/label", params={"label": uid, "tag": "boxes"})
    assert got.json() == {"markups": []}
    assert got.headers["content-disposition"].endswith('.json"')


def test_a_batch_labels_what_is_not_labelled(facade: Service, tmp_path: Path) -> None:
    files = dicom.write_series(scan("reversed"), tmp_path / "series", seed="ml batch")
    uid = facade.upload(files).raise_for_status().json()["report"]["series"][0]["id"]
    path = "/monailabel/batch/infer"

    begun = facade.client.post(f"{path}/label.bands?images=unlabeled", json={"bands": "[9]"})

    assert begun.status_code == 200, begun.text
    done = until(
        lambda: told if (told := facade.client.get(path).json())["status"] != "RUNNING" else None
    )
    assert uid in done["result"]["jobs"]
    assert facade.client.get(f"{path}?check_if_running=true").status_code == 404
    label = facade.client.get(f"{ROOT}/label", params={"label": uid, "tag": "original"})
    (tmp_path / "original.nrrd").write_bytes(label.content)
    read = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "original.nrrd")))
    assert set(np.unique(read)) == {0, 1}
    assert facade.client.delete(path).json()["id"] == done["id"]


def test_checksums_say_whether_an_image_is_the_one(facade: Service, tmp_path: Path) -> None:
    path = tmp_path / "one.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.ones((2, 3, 4), np.uint8)), str(path))
    sent = {"file": ("one.nrrd", path.read_bytes())}
    facade.client.put(f"{ROOT}/image", params={"image": "one"}, files=sent).raise_for_status()
    got = facade.client.get(f"{ROOT}/image", params={"image": "one"})
    assert got.content == path.read_bytes()

    digest = hashlib.sha256(got.content).hexdigest()
    for checksum, code in ((f"SHA256:{digest}", 200), (digest, 200), ("SHA256:" + "0" * 64, 404)):
        asked = {"image": "one", "check_sum": checksum}
        assert facade.client.head(f"{ROOT}/image", params=asked).status_code == code
