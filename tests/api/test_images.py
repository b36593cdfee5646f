"""Uploads: however the same files come, the same image; what cannot be used is not kept."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from service import Service, ct, series, until, zipped

from delineate.api.app import create
from delineate.formats import nifti
from delineate.imaging import Image
from delineate.jobs import Settings


def incoming(running: Service) -> list[Path]:
    return list((running.settings.data / "tenants" / "local" / "incoming").iterdir())


def kept(running: Service) -> set[str]:
    return {path.name for path in (running.home / "images").glob("*")}


def test_an_upload_answers_its_id_and_what_is_in_it(running: Service, ct_files: list[Path]) -> None:
    response = running.upload(ct_files)

    assert response.status_code == 201
    image = response.json()
    assert response.headers["location"] == f"/v1/images/{image['id']}"
    assert (image["files"], image["report"]["verdict"]) == (6, "usable")
    assert image["bytes"] == sum(path.stat().st_size for path in ct_files)
    (only,) = image["report"]["series"]
    assert (only["modality"], only["shape"], only["unit"]) == ("CT", [6, 24, 24], "mm")
    np.testing.assert_allclose(only["spacing_mm"], [3.0, 0.8, 0.8])
    assert running.client.get(f"/v1/images/{image['id']}").json() == image
    assert incoming(running) == []


def test_the_same_files_are_the_same_image_however_they_come(
    running: Service, ct_files: list[Path], ct_id: str
) -> None:
    shuffled = list(ct_files)
    random.Random(1).shuffle(shuffled)
    before = kept(running)

    ways = {
        "shuffled": running.upload(shuffled),
        "one of them twice": running.upload([*ct_files, ct_files[0]]),
        "zip": running.send(zipped(ct_files), "scan.zip"),
        "zip without a name": running.send(zipped(shuffled, [f"IM{n}" for n in range(6)])),
        "zip as a part": running.client.post(
            "/v1/images", files=[("files", ("x.zip", zipped(ct_files)))]
        ),
    }

    assert {way: answer.json()["id"] for way, answer in ways.items()} == dict.fromkeys(ways, ct_id)
    assert kept(running) == before


def test_another_sample_is_another_image(running: Service, ct_id: str, tmp_path: Path) -> None:
    image = ct()
    array = image.array.copy()
    array[0, 0, 0] += 1
    changed = Image(array, image.grid, "CT")

    assert running.upload(series(tmp_path, changed)).json()["id"] != ct_id


def test_a_nifti_comes_as_a_raw_body(running: Service, tmp_path: Path) -> None:
    nifti.write_image(ct(), tmp_path / "scan.nii.gz")

    image = running.send((tmp_path / "scan.nii.gz").read_bytes(), "scan.nii.gz").json()

    (only,) = image["report"]["series"]
    assert (only["format"], only["modality"], only["shape"]) == ("nifti", "CT", [6, 24, 24])


def test_files_that_are_no_image_are_set_aside_by_the_name_they_came_with(
    running: Service, ct_files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "READ ME.txt").write_text("hello")

    image = running.upload([*ct_files, tmp_path / "READ ME.txt"]).json()

    assert [one["name"] for one in image["report"]["ignored"]] == ["READ ME.txt"]
    assert image["report"]["verdict"] == "usable"


def test_the_samples_come_as_the_headers_say(
    running: Service, ct_id: str, ct_files: list[Path]
) -> None:
    answers = [running.client.get(f"/v1/images/{ct_id}/volume") for _ in range(2)]

    assert answers[0].headers["content-encoding"] == "gzip"
    assert answers[0].headers["x-shape"] == "6,24,24"
    assert answers[0].headers["x-dtype"] == "int16"
    assert answers[0].headers["x-unit"] == "mm"
    assert answers[0].headers["x-modality"] == "CT"
    affine = np.array(answers[0].headers["x-affine"].split(","), float).reshape(4, 4)
    np.testing.assert_allclose(affine, ct().grid.affine, atol=1e-6)
    for answer in answers:
        samples = np.frombuffer(answer.content, "<i2").reshape(6, 24, 24)
        np.testing.assert_array_equal(samples, ct().array)


def test_an_unknown_series_of_an_image_is_refused_with_the_list(
    running: Service, ct_id: str
) -> None:
    answer = running.client.get(f"/v1/images/{ct_id}/volume", params={"series": "9.9"})

    assert answer.status_code == 422
    assert [one["modality"] for one in answer.json()["series"]] == ["CT"]


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_an_upload_broken_off_leaves_nothing(
    running: Service, ct_files: Sequence[Path], part: float
) -> None:
    before = kept(running)
    boundary = "frontier"
    whole = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"'
        f"\r\n\r\n".encode()
        + path.read_bytes()
        + b"\r\n"
        for path in ct_files
    )
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /v1/images HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(whole)}\r\n"
            f"Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n".encode()
        )
        connection.sendall(whole[: int(part * len(whole))])
        until(lambda: incoming(running) or None)

    until(lambda: not incoming(running) or None)
    assert kept(running) == before


def test_many_uploads_at_once_do_not_hold_up_others(running: Service, ct_files: list[Path]) -> None:
    # Many that dawdle, each with a connection and a folder of its own.
    host, port = running.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/images HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 4000000\r\n\r\n"
    ).encode()
    slow = [socket.create_connection((host, int(port))) for _ in range(48)]
    try:
        for connection in slow:
            connection.sendall(head + b"x" * 400_000)
        waits = []
        for _ in range(20):
            began = time.monotonic()
            assert running.client.get("/healthz").status_code == 200
            waits.append(time.monotonic() - began)
        assert running.upload(ct_files).status_code == 201
    finally:
        for connection in slow:
            connection.close()
    assert sorted(waits)[-2] < 0.5
    until(lambda: not incoming(running) or None)


async def answers_of(settings: Settings, *bodies: bytes | AsyncIterator[bytes]) -> list[Any]:
    """What an application with these settings answers to uploads of these bodies."""
    app = create(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        return [await client.post("/v1/images", content=body) for body in bodies]


def test_limits_on_size_and_room_have_their_codes(tmp_path: Path, ct_files: list[Path]) -> None:
    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"x" * 1000

    small = Settings(data=tmp_path / "a", max_upload_bytes=5000, min_free_bytes=0)
    bodies = (b"x" * 5001, unannounced(), zipped(ct_files))
    too_large = asyncio.run(answers_of(small, *bodies))
    full = Settings(data=tmp_path / "b", min_free_bytes=2**62)
    (no_room,) = asyncio.run(answers_of(full, b"x"))

    assert [answer.status_code for answer in too_large] == [413, 413, 413]
    assert list((tmp_path / "a" / "tenants" / "local" / "incoming").iterdir()) == []
    assert (no_room.status_code, no_room.json()["title"]) == (507, "StorageFullError")


def test_a_gzip_bomb_of_a_nifti_is_refused(running: Service) -> None:
    began = time.monotonic()
    answer = running.send(gzip.compress(bytes(64 * 2**20), 9), "bomb.nii.gz")

    assert answer.status_code == 422
    assert time.monotonic() - began < 10
