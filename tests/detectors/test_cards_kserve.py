"""Cards of servers that speak the Open Inference Protocol (KServe v2).

The server here follows https://kserve.github.io/website/docs/concepts/architecture/data-plane/
v2-protocol (paths, metadata, requests and responses in JSON, ``error`` in a failure) and its
extension for binary tensor data as Triton documents it (docs/protocol/extension_binary_data.md):
sizes in ``parameters``, tensors behind the JSON in its order, little-endian, and the length of the
JSON in ``Inference-Header-Content-Length``.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from card_files import names, picture
from card_servers import card_file, serving
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import labelmaps

from delineate import delineate
from delineate.client import transport
from delineate.detectors.cards import store
from delineate.detectors.cards.kserve import KserveDetector
from delineate.errors import BadDetectionError, Cancelled, DetectorError, ModelError
from delineate.imaging import Image, LabelMap
from delineate.plugins import Monitor, Options, registry

TYPES = {"FP32": "<f4", "FP16": "<f2", "UINT8": "u1", "INT64": "<i8"}


class Kserve:
    """A server whose model gives logits for samples of 0, 1 and 2."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.extensions: list[str] = []
        self.datatype, self.spoil = "FP32", ""
        self.seconds = 0.0
        self.asked: list[dict[str, Any]] = []
        self.left = threading.Event()
        self.app.get("/prefix/v2")(self.about)
        self.app.get("/prefix/v2/models/{model}")(self.model)
        self.app.get("/prefix/v2/models/{model}/versions/{version}")(self.model)
        self.app.post("/prefix/v2/models/three/infer")(self.infer)
        self.app.post("/prefix/v2/models/three/versions/7/infer")(self.infer)

    def about(self) -> dict[str, Any]:
        return {"name": "test", "version": "1", "extensions": self.extensions}

    def model(self, model: str, version: str = "") -> Response:
        if model != "three":
            return JSONResponse(
                {"error": f"Request for unknown model: '{model}' is not found"}, 404
            )
        ports = {
            "inputs": [{"name": "image", "datatype": self.datatype, "shape": [-1, 1, -1, -1]}],
            "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 3, -1, -1]}],
        }
        return JSONResponse({"name": model, "versions": ["7"], "platform": "onnx", **ports})

    async def infer(self, request: Request) -> Response:
        tensor, outputs = self._read(await request.body(), dict(request.headers))
        self.asked.append({"path": request.url.path, "outputs": outputs, "shape": tensor.shape})
        deadline = time.monotonic() + self.seconds
        while time.monotonic() < deadline:
            await asyncio.sleep(0.02)
            if await request.is_disconnected():
                self.left.set()
                return Response()
        if self.spoil == "error":
            return JSONResponse({"error": "out of memory on device 0"}, 500)
        if self.spoil == "elsewhere":
            return RedirectResponse("https://elsewhere.example/v2", 307)
        distance = np.abs(tensor.astype(np.float32) - np.arange(3).reshape(1, 3, 1, 1))
        logits = -10 * distance
        if self.spoil == "shape":
            logits = logits[:, :2]
        return self._write(logits.astype("<f4"), bool(outputs[0].get("parameters")))

    @staticmethod
    def _read(body: bytes, headers: dict[str, str]) -> tuple[np.ndarray[Any, Any], Any]:
        length = headers.get("inference-header-content-length")
        document = json.loads(body[: int(length)] if length else body)
        (one,) = document["inputs"]
        assert one["name"] == "image"
        if length is None:
            assert headers["content-type"] == "application/json"
            values = np.array(one["data"], TYPES[one["datatype"]])
        else:
            assert headers["content-type"] == "application/octet-stream"
            assert one["parameters"]["binary_data_size"] == len(body) - int(length)
            assert "data" not in one
            values = np.frombuffer(body[int(length) :], TYPES[one["datatype"]])
        return values.reshape(one["shape"]), document["outputs"]

    def _write(self, array: np.ndarray[Any, Any], binary: bool) -> Response:
        one: dict[str, Any] = {"name": "logits", "shape": list(array.shape), "datatype": "FP32"}
        if not binary:
            one["data"] = array.tolist()  # nested, as some servers give it
            return JSONResponse({"model_name": "three", "outputs": [one]})
        one["parameters"] = {"binary_data_size": array.nbytes}
        head = json.dumps({"model_name": "three", "outputs": [one]}).encode()
        content = array.tobytes()
        if self.spoil == "bytes":
            content = content[:-4]
        headers = {"Inference-Header-Content-Length": str(len(head))}
        return Response(head + content, media_type="application/octet-stream", headers=headers)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Kserve, str]]:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cards"))
    monkeypatch.setattr(transport, "_PAUSES", (0.05, 0.05))
    server = Kserve()
    with serving(server.app) as url:
        yield server, f"{url}/prefix/"


def added(folder: Path, url: str, **part: Any) -> str:
    said = {
        "url": url,
        "model": "three",
        "input": {"multiple": 4},
        "output": {"form": "labels"},
        "timeout_s": 20.0,
        **part,
    }
    card = card_file(folder, gives="labelmap", categories=names("one", "two"), kserve=said)
    return store.add(card).name


IMAGE = picture(np.array([[0, 1, 2, 2, 0]], np.uint8))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labelmaps(max_size=5, max_label=2), st.booleans())
def test_labels_come_back_on_the_samples_they_are_on(
    running: tuple[Kserve, str],
    tmp_path_factory: pytest.TempPathFactory,
    drawn: LabelMap,
    binary: bool,
) -> None:
    folder = tmp_path_factory.mktemp("card")
    running[0].extensions = ["binary_tensor_data"] if binary else []
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(store.VARIABLE, str(folder / "cards"))
        name = added(folder, running[1])

        found = delineate(Image(drawn.array, drawn.grid), name).output

    assert isinstance(found, LabelMap)
    np.testing.assert_array_equal(found.array, drawn.array)
    assert found.grid.matches(drawn.grid)


def test_a_version_is_asked_for_and_outputs_by_name(
    running: tuple[Kserve, str], tmp_path: Path
) -> None:
    server, url = running
    server.extensions = ["classification", "binary_tensor_data"]
    name = added(tmp_path, url, model_version="7")

    delineate(IMAGE, name)

    asked = [{"name": "logits", "parameters": {"binary_data": True}}]
    path = "/prefix/v2/models/three/versions/7/infer"
    assert server.asked == [{"path": path, "outputs": asked, "shape": (1, 1, 4, 8)}]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"model": "four"}, "404 Request for unknown model: 'four' is not found"),
        ({"input": {"name": "x"}}, r"has no input 'x', but \['image'\]"),
        ({"input": {"dtype": "uint8"}}, "takes FP32, the card says uint8"),
        ({"input": {"layout": "NCDHW"}}, r"takes the shape \[-1, 1, -1, -1\], the card says NCDHW"),
        ({"output": {"form": "labels", "name": "y"}}, r"has no outputs \['y'\], but \['logits'\]"),
    ],
)
def test_a_card_that_does_not_fit_the_server_is_refused(
    running: tuple[Kserve, str], tmp_path: Path, part: dict[str, Any], message: str
) -> None:
    with pytest.raises(DetectorError, match=message):
        added(tmp_path, running[1], **part)


def test_half_floats_need_a_server_of_binary_data(
    running: tuple[Kserve, str], tmp_path: Path
) -> None:
    server, url = running
    server.datatype = "FP16"
    with pytest.raises(ModelError, match="float16 travels as binary data alone"):
        added(tmp_path, url, input={"dtype": "float16"})

    server.extensions = ["binary_tensor_data"]
    found = delineate(IMAGE, added(tmp_path, url, input={"dtype": "float16"})).output

    assert isinstance(found, LabelMap)
    np.testing.assert_array_equal(found.array, IMAGE.array)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        ("error", DetectorError, "500 out of memory on device 0"),
        ("elsewhere", DetectorError, "307, a redirect to 'https://elsewhere.example/v2'; none is"),
        ("shape", BadDetectionError, "expected 3 channels of the output 'logits'.* got 2"),
        ("bytes", BadDetectionError, r"none of the Open Inference Protocol \(ValueError: logits"),
    ],
)
def test_failures_say_who_was_asked_for_what_and_what_came(
    running: tuple[Kserve, str],
    tmp_path: Path,
    spoil: str,
    error: type[Exception],
    message: str,
) -> None:
    server, url = running
    server.extensions = ["binary_tensor_data"]
    name = added(tmp_path, url)
    server.spoil = spoil

    with pytest.raises(error, match=message):
        delineate(IMAGE, name)


def test_a_server_that_is_slow_is_waited_for_so_long(
    running: tuple[Kserve, str], tmp_path: Path
) -> None:
    server, url = running
    name = added(tmp_path, url, timeout_s=0.5)
    server.seconds = 30.0

    with pytest.raises(DetectorError, match=r"POST /v2/models/three/infer: no answer within 0.5 s"):
        delineate(IMAGE, name)
    assert server.left.wait(5)


class _Impatient(Monitor):
    def __init__(self) -> None:
        self.until = time.monotonic() + 0.5

    @property
    def cancelled(self) -> bool:
        return time.monotonic() > self.until


def test_cancelling_closes_the_connection(running: tuple[Kserve, str], tmp_path: Path) -> None:
    server, url = running
    name = added(tmp_path, url)
    server.seconds = 30.0
    detector = KserveDetector(store.find_card(name).folder)
    began = time.monotonic()

    with pytest.raises(Cancelled):
        detector.detect_monitored(IMAGE, Options(), _Impatient())

    assert time.monotonic() - began < 5
    assert server.left.wait(5)


def test_a_server_that_is_down_is_tried_some_times(
    running: tuple[Kserve, str], tmp_path: Path
) -> None:
    name = added(tmp_path, running[1])
    card = store.find_card(name).folder / "card.json"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    document = json.loads(card.read_text())
    document["kserve"]["url"] = f"http://127.0.0.1:{port}"
    card.write_text(json.dumps(document))

    with pytest.raises(DetectorError, match=f"127.0.0.1:{port} was asked POST .* no connection af"):
        delineate(IMAGE, name)


def _answering(content: bytes) -> tuple[socket.socket, threading.Thread]:
    """Answer each connection by the same bytes, whatever is asked."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                connection.sendall(content)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener, thread


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "broke off or is no HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "broke off or is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "expected JSON, got something else"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "expected a JSON object"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b"x" * (17 << 20),
            "more than 16777216 bytes came",
        ),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "401 without a word; name the env"),
    ],
)
def test_answers_that_are_none_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cards"))
    listener, thread = _answering(content)
    try:
        with pytest.raises(DetectorError, match=message):
            added(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_a_token_is_read_from_the_environment_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cards"))
    server, seen = Kserve(), []

    @server.app.middleware("http")
    async def note(request: Request, call: Any) -> Any:
        seen.append(request.headers.get("authorization"))
        return await call(request)

    with serving(server.app) as url:
        with pytest.raises(DetectorError, match="variable DELINEATE_TOKEN_TEST, which is not set"):
            added(tmp_path, f"{url}/prefix", token_env="DELINEATE_TOKEN_TEST")
        monkeypatch.setenv("DELINEATE_TOKEN_TEST", "open-sesame")
        name = added(tmp_path, f"{url}/prefix", token_env="DELINEATE_TOKEN_TEST")
        delineate(IMAGE, name)

    assert seen == ["Bearer open-sesame"] * 3
    assert "open-sesame" not in (store.find_card(name).folder / "card.json").read_text()


def test_a_token_does_not_travel_for_all_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "cards"))
    monkeypatch.setenv("DELINEATE_TOKEN_TEST", "open-sesame")

    with pytest.raises(DetectorError, match="could read it; use https"):
        added(tmp_path, "http://models.example", token_env="DELINEATE_TOKEN_TEST")


def test_the_detector_runs_in_a_process_of_its_own(
    running: tuple[Kserve, str], tmp_path: Path
) -> None:
    from delineate.plugins.host import Host

    spec = registry.find(added(tmp_path, running[1]))

    with Host(spec) as host:
        found = delineate(IMAGE, spec, runner=host)

    assert [one.measurements["area_px"] for one in found.findings] == [1, 2]
    assert found.provenance.device == running[1].split("/")[2]
