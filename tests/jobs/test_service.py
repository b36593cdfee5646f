"""The processes of a service: killed, stopped, refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from campaigns.kill import campaign
from service import children, lives, series, service, until

from delineate.errors import InputError
from delineate.jobs import Settings, cards, running, serve
from delineate.jobs.supervisor import Supervisor


@pytest.mark.slow
def test_no_job_is_lost_or_done_twice_when_processes_are_killed(
    odd_detectors: Path, tmp_path: Path
) -> None:
    outcome = campaign(tmp_path / "data", kills=5, jobs=6)

    assert dict(outcome.states) == {"done": 6}
    assert (outcome.unknown, outcome.wrong, outcome.results_too_many) == (0, 0, 0)
    assert outcome.kills.total() >= 2
    assert outcome.seconds_after_last_kill < 60


def test_a_killed_api_is_back_and_knows_its_jobs(odd_detectors: Path, tmp_path: Path) -> None:
    with service(tmp_path / "data") as one:
        image_id = one.upload(series(tmp_path / "ct")).raise_for_status().json()["id"]
        job = one.submit(image_id, options={"seconds": 0.5})
        api = one.pid("api")
        assistants = children(api)
        assert assistants

        os.kill(api, signal.SIGKILL)

        until(lambda: not any(lives(pid) for pid in [api, *assistants]) or None)
        # The socket is the supervisor's: a call waits for the new process.
        back = httpx.get(f"{one.url}/v1/jobs/{job['id']}", timeout=120)
        assert back.raise_for_status().json()["id"] == job["id"]
        one.client.close()
        one.client = httpx.Client(base_url=one.url, timeout=120)
        assert one.wait(job["id"])["state"] == "done"
        assert one.client.get(f"/v1/images/{image_id}").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_service(
    odd_detectors: Path, tmp_path: Path, how: signal.Signals
) -> None:
    code = (
        "import sys; from pathlib import Path; from delineate.jobs import serve\n"
        "serve(port=0, data=Path(sys.argv[1]), on_ready=lambda url: print(url, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/healthz").json()["status"] == "ok"
        httpx.get(f"{url}/v1/detectors", timeout=60).raise_for_status()
        family = [pid for child in children(process.pid) for pid in [child, *children(child)]]
        assert len(family) >= 3

        process.send_signal(how)

        assert process.wait(15) == (-how if how == signal.SIGKILL else 0)
        until(lambda: not any(lives(pid) for pid in family) or None, seconds=10)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_an_address_that_others_can_reach_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(InputError, match="without keys"):
        serve(host=host, port=0, data=tmp_path)


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 cannot be used"):
            Supervisor("127.0.0.1", port, Settings(data=tmp_path), 1)


@pytest.mark.parametrize(
    ("visible", "count", "seen"),
    [(None, 2, ("0", "1")), ("3,GPU-5a", 2, ("3", "GPU-5a")), ("3,GPU-5a", 1, ("3",)), ("", 0, ())],
)
def test_each_worker_of_a_gpu_sees_one_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, count: int, seen: tuple[str, ...]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert cards(count) == seen


def test_more_gpus_than_there_are_to_be_seen_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(InputError, match="2 GPUs are wanted, and CUDA_VISIBLE_DEVICES names 1"):
        cards(2)


def test_running_gives_the_address_for_the_time_of_a_block(tmp_path: Path) -> None:
    with running(data=tmp_path / "data") as url:
        assert httpx.get(f"{url}/healthz").json()["status"] == "ok"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")


def test_a_data_folder_has_one_service(odd_detectors: Path, tmp_path: Path) -> None:
    first = Supervisor("127.0.0.1", 0, Settings(data=tmp_path / "data"), 1)
    with pytest.raises(InputError, match="another service runs on the data folder"):
        Supervisor("127.0.0.1", 0, Settings(data=tmp_path / "data"), 1)
    first.close()

    Supervisor("127.0.0.1", 0, Settings(data=tmp_path / "data"), 1).close()
