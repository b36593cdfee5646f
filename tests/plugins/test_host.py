"""The host survives whatever a detector does; each call after a disaster works."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from misbehaving import How, outputs, rogue, sampler

from delineate.errors import (
    BadDetectionError,
    Cancelled,
    DetectorCrashError,
    DetectorError,
    ModelError,
    PluginLoadError,
    StorageFullError,
)
from delineate.imaging import Grid, Image, Source
from delineate.plugins import Detection, DetectorSpec, Monitor, Options
from delineate.plugins.channel import Channel
from delineate.plugins.host import Host
from delineate.plugins.runner import InProcess
from delineate.plugins.samples import write_array
from delineate.plugins.wire import pack_detection

IMAGE = Image(
    np.arange(-60, 60, dtype=np.int16).reshape(4, 5, 6),
    Grid.regular((4, 5, 6), (3.0, 0.7, 0.7), (10.0, -20.0, 30.0)),
    "CT",
)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host(rogue) as host:
        yield host


class CancelSoon(Monitor):
    """Cancels once the detector has had a moment, and tells when it did."""

    def __init__(self, until: Callable[[], bool], moment: float = 0.3) -> None:
        self._until, self._moment = until, moment
        self.since: float | None = None

    @property
    def cancelled(self) -> bool:
        if self.since is None and self._until():
            self.since = time.monotonic() + self._moment
        return self.since is not None and time.monotonic() >= self.since


def assert_works(host: Host) -> None:
    found = host.run(IMAGE, How())
    np.testing.assert_array_equal(found.output.array, IMAGE.array > 0)  # type: ignore[union-attr]


def same(a: Detection, b: Detection) -> bool:
    """Versions apart: this process may have loaded torch for another test, the host has not."""
    bare = (replace(detection, versions={}) for detection in (a, b))
    (one, samples), (other, others) = map(pack_detection, bare)
    if samples is None or others is None:
        return one == other and samples is others
    return one == other and samples.dtype == others.dtype and np.array_equal(samples, others)


def test_every_kind_of_output_comes_out_as_it_was_returned() -> None:
    expected = outputs(IMAGE.grid)
    with Host(sampler("labelmap")) as host:
        for kind in expected:
            host.spec = sampler(kind)  # the process is the same for all
            assert same(host.run(IMAGE, How(how=kind)), expected[kind]), kind


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_told_as_such() -> None:
    with (
        open("/dev/full", "wb", buffering=0) as full,
        pytest.raises(StorageFullError, match="no room is left for 0 MB of samples"),
    ):
        write_array(full, IMAGE.array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5, 6), bool),
        np.arange(120, dtype=">i2").reshape(4, 5, 6),
        np.arange(120, dtype=np.float64).reshape(4, 5, 6)[::-1],
        np.asfortranarray(np.arange(120, dtype=np.uint8).reshape(4, 5, 6)),
    ],
    ids=["bool", "big-endian", "flipped", "fortran"],
)
def test_samples_of_any_layout_arrive_as_they_are(host: Host, array: np.ndarray) -> None:
    image = Image(array, IMAGE.grid)

    hosted = host.run(image, How())

    assert same(hosted, InProcess(rogue).run(image, How(), Monitor()))


def test_the_process_stays_warm_between_runs(host: Host) -> None:
    assert_works(host)
    first = host.pid
    assert_works(host)

    assert host.pid == first is not None


def test_the_detector_never_sees_the_source(host: Host) -> None:
    @dataclass(frozen=True)
    class Header(Source):
        format = "secret"

    found = host.run(replace(IMAGE, source=Header()), How(how="tells_its_source"))

    assert found.remarks == ("memory", "Source")


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("segfault", "crashed with SIGSEGV"),
        ("exits", "ended its process with exit code 7"),
        ("prints_and_crashes", "crashed with SIGABRT.*the last words"),
        ("forks_and_dies", "ended its process with exit code 9"),
        ("closes_every_descriptor", "(closed its channel|ended its process with exit code 1)"),
    ],
)
def test_a_crash_fails_with_its_cause_and_the_next_run_works(
    host: Host, how: str, cause: str
) -> None:
    with pytest.raises(DetectorCrashError, match=f"(?s)detector rogue {cause}") as caught:
        host.run(IMAGE, How(how=how))

    assert caught.value.detector_id == "rogue"
    assert host.pid is None
    assert_works(host)


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("raises", DetectorError, "failed with KeyError: 'the cupboard is bare'"),
        ("calls_sys_exit", DetectorError, "failed with SystemExit: 3"),
        ("raises_model_error", ModelError, "weights are of another network"),
        ("writes_to_the_image", DetectorError, "failed with ValueError: .*read-only"),
        ("returns_nonsense", BadDetectionError, "to return a LabelMap.*got list"),
        ("returns_a_stranger", BadDetectionError, r"declares .* but returned \['spleen'\]"),
    ],
)
def test_an_exception_comes_out_as_it_would_in_process_and_costs_no_process(
    host: Host, how: str, kind: type[DetectorError], message: str
) -> None:
    assert_works(host)
    pid = host.pid

    for runner in (host, InProcess(rogue)):
        with pytest.raises(kind, match=message) as caught:
            runner.run(IMAGE, How(how=how), Monitor())
        assert type(caught.value) is kind
        assert caught.value.detector_id == "rogue"
    assert host.pid == pid
    assert_works(host)


def test_an_exception_brings_its_traceback_as_a_note(host: Host) -> None:
    with pytest.raises(DetectorError) as caught:
        host.run(IMAGE, How(how="raises"))

    assert "in raises" in caught.value.__notes__[0]
    assert "in raises" not in str(caught.value)


def test_garbage_on_stdout_and_40_mb_on_stderr_change_nothing(host: Host) -> None:
    before = resident_mb()

    found = host.run(IMAGE, How(how="prints"))

    np.testing.assert_array_equal(found.output.array, IMAGE.array > 0)  # type: ignore[union-attr]
    assert resident_mb() - before < 20
    assert_works(host)


@pytest.mark.parametrize("how", ["loops", "loops_and_ignores_sigterm", "loops_in_c"])
def test_cancelling_ends_a_detector_that_does_not_listen_within_two_seconds(
    host: Host, how: str
) -> None:
    assert_works(host)
    pid, monitor = host.pid, CancelSoon(lambda: True)

    with pytest.raises(Cancelled):
        host.run(IMAGE, How(how=how), monitor)

    assert monitor.since is not None
    assert time.monotonic() - monitor.since < 2.0
    assert not is_running(pid)
    assert_works(host)


def test_cancelling_a_detector_that_listens_keeps_its_process(host: Host) -> None:
    assert_works(host)
    pid = host.pid

    with pytest.raises(Cancelled):
        host.run(IMAGE, How(how="loops_politely"), CancelSoon(lambda: True))

    assert host.pid == pid
    assert_works(host)


def test_a_cancel_that_comes_too_late_does_not_touch_the_next_run(host: Host) -> None:
    assert_works(host)
    assert host._child is not None
    host._child.send({"type": "cancel", "run": host._runs})  # as if sent while it was ending

    time.sleep(0.1)

    found = host.run(IMAGE, How(how="asks_a_few_times"))
    assert found.output is not None


def test_cancelling_while_the_detector_loads_ends_it() -> None:
    with Host(rogue) as host:
        with pytest.raises(Cancelled):
            host.run(IMAGE, How(), CancelSoon(lambda: True, 0.0))
        assert host.pid is None


def test_cancelling_ends_what_the_detector_has_started(host: Host, tmp_path: Path) -> None:
    note = tmp_path / "pid"

    with pytest.raises(Cancelled):
        host.run(
            IMAGE,
            How(how="leaves_a_grandchild", path=str(note)),
            CancelSoon(lambda: note.exists() and bool(note.read_text())),
        )

    assert eventually(lambda: not is_running(int(note.read_text())))


def test_any_exception_of_the_monitor_ends_the_process(host: Host) -> None:
    class Interrupted(Monitor):
        @property
        def cancelled(self) -> bool:
            raise KeyboardInterrupt

    assert_works(host)
    pid = host.pid

    with pytest.raises(KeyboardInterrupt):
        host.run(IMAGE, How(how="loops"), Interrupted())

    assert host.pid is None
    assert not is_running(pid)
    assert_works(host)


def test_a_run_beyond_its_time_is_stopped() -> None:
    with Host(rogue, time_limit=2.5) as host:
        with pytest.raises(DetectorCrashError, match="stopped after its time limit"):
            host.run(IMAGE, How(how="loops"))
        assert host.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not hold processes to limits")
def test_a_hog_fails_at_its_limit_and_the_next_run_works() -> None:
    with Host(rogue, memory_limit_mb=400) as host:
        with pytest.raises(DetectorCrashError, match=r"out of memory \(its limit is 400 MB\)"):
            host.run(IMAGE, How(how="hogs"))
        assert host.pid is None
        assert_works(host)


def test_a_kill_from_outside_is_told_as_lack_of_memory(host: Host) -> None:
    assert_works(host)
    pid = host.pid
    assert pid is not None
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()

    with pytest.raises(DetectorCrashError, match=r"SIGKILL.*memory"):
        host.run(IMAGE, How(how="loops"))
    assert_works(host)


def test_a_death_between_two_looks_at_the_channel_is_a_crash(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Channel.receive

    def dies_meanwhile(self: Channel, timeout: float | None = None) -> object:
        monkeypatch.setattr(Channel, "receive", plain)
        child = host._child
        assert child is not None
        os.kill(child.process.pid, signal.SIGKILL)
        child.process.wait()
        return None

    assert_works(host)
    monkeypatch.setattr(Channel, "receive", dies_meanwhile)
    with pytest.raises(DetectorCrashError, match="SIGKILL"):
        host.run(IMAGE, How(how="loops"))
    assert_works(host)


def test_a_process_that_died_while_idle_is_replaced_in_silence(host: Host) -> None:
    assert_works(host)
    assert host.pid is not None
    os.kill(host.pid, signal.SIGKILL)
    assert eventually(lambda: host._child is not None and not host._child.alive)

    assert_works(host)


def test_progress_arrives_and_a_flood_of_it_does_no_harm(host: Host) -> None:
    told: list[tuple[float, str]] = []

    class Told(Monitor):
        def progress(self, fraction: float, stage: str = "") -> None:
            told.append((fraction, stage))

    host.run(IMAGE, How(how="reports_a_million_times"), Told())

    assert 1 <= len(told) < 400
    assert told == sorted(told)
    assert {stage for _, stage in told} == {"counting"}


def test_a_process_outlives_the_thread_that_started_it(host: Host) -> None:
    host.close()
    thread = threading.Thread(target=assert_works, args=(host,))
    thread.start()
    thread.join()
    pid = host.pid

    time.sleep(0.2)

    assert_works(host)
    assert host.pid == pid


def test_threads_take_turns(host: Host) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                assert_works(host)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failed


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_detector_dies_with_its_parent_even_by_kill_9(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
        "from test_host import *\n"
        "Host(rogue).run(IMAGE, How(how='leaves_a_grandchild', path=sys.argv[2]))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, json.dumps(sys.path), str(note)])
    try:
        assert eventually(lambda: note.exists() and bool(note.read_text()), 30)
        child = parent_of(int(note.read_text()))
        assert is_running(child)
    finally:
        parent.kill()
        parent.wait()

    assert eventually(lambda: not is_running(child))
    os.kill(int(note.read_text()), signal.SIGKILL)  # nobody promises to end the grandchild here


def test_neither_descriptors_nor_files_are_left_behind(host: Host) -> None:
    def disasters() -> None:
        for how in ("raises", "well", "exits"):
            try:
                host.run(IMAGE, How(how=how))
            except DetectorError:
                continue
        host.close()
        gc.collect()

    disasters()
    before = descriptors(), sorted(os.listdir(tempfile.gettempdir()))
    disasters()

    assert descriptors() <= before[0]
    left = set(os.listdir(tempfile.gettempdir())) - set(before[1])
    assert not [name for name in left if "delineate" in name]


def test_a_detector_that_cannot_be_made_is_a_load_error() -> None:
    broken = DetectorSpec(id="broken", title="Broken", factory="misbehaving:Missing")
    with Host(broken) as host, pytest.raises(PluginLoadError, match=r"Missing.*Missing"):
        host.run(IMAGE, Options())
    assert host.pid is None


def test_options_that_no_other_process_can_import_are_a_load_error() -> None:
    class Local(Options):
        pass

    with (
        Host(replace(rogue, options=Local)) as host,
        pytest.raises(PluginLoadError, match="top of a module"),
    ):
        host.run(IMAGE, Local())


def test_a_host_that_is_forgotten_ends_its_process() -> None:
    host = Host(rogue)
    assert_works(host)
    pid = host.pid

    del host
    gc.collect()

    assert not is_running(pid)


def test_a_closed_host_starts_again(host: Host) -> None:
    assert_works(host)
    host.close()
    host.close()
    assert host.pid is None

    assert_works(host)


def resident_mb() -> float:
    if not Path("/proc/self/statm").exists():
        return 0.0
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def is_running(pid: int | None) -> bool:
    """Whether a process exists and is no zombie."""
    if pid is None:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + seconds
    while not (true := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return true
