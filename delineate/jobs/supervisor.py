"""Starts the processes of a service, starts them again when they die, stops them all."""

from __future__ import annotations

import fcntl
import http.client
import itertools
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from delineate.errors import DelineateError, InputError
from delineate.jobs.exposure import demand_door, demand_extras
from delineate.jobs.processes import HOPELESS, Process, stop
from delineate.jobs.rules import Rules
from delineate.jobs.settings import Settings

__all__ = ["Supervisor", "cards", "crew", "free_names", "running", "serve", "work"]

_TICK_SECONDS = 0.05


class Supervisor:
    """One API process and some workers.

    Parameters
    ----------
    host
        A loopback address, or any where keys are asked for.
    port
        0 for any free one.
    workers
        Number of worker processes of the queue ``default``, each doing one job at a time.
    gpus
        Those for each of which there is a worker of the queue ``gpu``; see `cards`.

    Raises
    ------
    InputError
        If others could reach the address and nobody would be asked for a key; if it cannot be had.
    """

    def __init__(
        self, host: str, port: int, settings: Settings, workers: int, gpus: Sequence[str] = ()
    ) -> None:
        demand_extras(settings)
        Rules.read(settings.rules)  # what is wrong there is told now, not by a dying process
        address = demand_door(host, settings)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((address, port))
        except OSError as error:
            self._socket.close()
            raise InputError(
                f"port {port} of {host} cannot be used ({error.strerror}); choose another, "
                "or 0 for any that is free"
            ) from error
        try:
            self._lock = _sole(settings.data)
        except InputError:
            self._socket.close()
            raise
        self._socket.listen(1024)
        shutil.rmtree(settings.metrics, ignore_errors=True)  # those of processes that are gone
        shown = f"[{address}]" if family == socket.AF_INET6 else address
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        module = [sys.executable, "-m"]
        descriptor = self._socket.fileno()
        web = [*module, "delineate.jobs.web", str(descriptor)]
        self._api = Process("api", web, settings, keep=[descriptor])
        names = [f"worker-{number}" for number in range(1, workers + 1)]
        on_gpus = [f"gpu-{number}" for number in range(1, len(gpus) + 1)]
        self._workers = crew(settings, "default", names) + crew(settings, "gpu", on_gpus, gpus)

    def run(self, ended: threading.Event, on_ready: Callable[[str], None] | None = None) -> None:
        """Keep everything running until ``ended`` is set; then stop it.

        The thread that calls this is the parent of all: if it ends, they are killed.

        Raises
        ------
        DelineateError
            If the API process dies again and again and never answers.
        """
        answered = False
        try:
            while not ended.wait(_TICK_SECONDS):
                for process in (self._api, *self._workers):
                    process.tend()
                if answered:
                    continue
                if self._api.deaths >= HOPELESS:
                    raise DelineateError("the API does not start; what it says stands above")
                answered = _answers(self.url)
                if answered and on_ready is not None:
                    on_ready(self.url)
        finally:
            self.close()

    def close(self) -> None:
        """Stop all processes; the jobs in hand are taken up again at the next start."""
        stop((self._api, *self._workers))
        self._socket.close()
        self._lock.close()

    def pids(self) -> dict[str, int]:
        """Process ids by name, for those that run."""
        every = (self._api, *self._workers)
        return {one.name: one.running.pid for one in every if one.running is not None}


def _sole(data: Path) -> IO[bytes]:
    """The lock of the one service of a data folder; the system drops it when this process ends."""
    data.mkdir(parents=True, exist_ok=True)
    lock = (data / "serve.lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise InputError(
            f"another service runs on the data folder {data}; stop it, name another folder "
            "(--data), or add workers to it (delineate worker)"
        ) from error
    return lock


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    data: Path = Path("delineate-data"),
    workers: int = 1,
    on_ready: Callable[[str], None] | None = None,
    settings: Settings | None = None,
    gpus: Sequence[str] = (),
) -> None:
    """Run a service until SIGTERM or SIGINT.

    Parameters
    ----------
    host, port, workers, gpus
        See `Supervisor`.
    data
        Folder of uploads, results and the job table; made where it is missing.
    on_ready
        Called with the address once the service answers.
    settings
        Everything else; its ``data`` counts where it is given.
    """
    supervisor = Supervisor(host, port, settings or Settings(data=data), workers, gpus)
    with _until_told() as ended:
        supervisor.run(ended, on_ready)


def work(settings: Settings, queue: str, names: Sequence[str], gpus: Sequence[str] = ()) -> None:
    """Run workers without an API until SIGTERM or SIGINT: the other machines of a cluster.

    Parameters
    ----------
    settings
        With the service's database and storage, and a data folder of this machine's own.
    queue, names, gpus
        See `crew`.

    Raises
    ------
    DelineateError
        If one of them dies again and again.
    """
    workers = crew(settings, queue, names, gpus)
    with _until_told() as ended:
        try:
            while not ended.wait(_TICK_SECONDS):
                for process in workers:
                    process.tend()
                    if process.deaths >= HOPELESS:
                        raise DelineateError(
                            f"worker {process.name} does not start; what it says stands above"
                        )
        finally:
            stop(workers)


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """Set on SIGTERM and SIGINT, for the time of the block."""
    ended = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: ended.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def crew(
    settings: Settings, queue: str, names: Sequence[str], gpus: Sequence[str] = ()
) -> list[Process]:
    """Worker processes of a queue, not yet started.

    Parameters
    ----------
    settings, queue, names
        What they are told, where they take jobs, and what they are called.
    gpus
        As ``CUDA_VISIBLE_DEVICES`` calls them: one for each name, which sees no other; any if
        there are none.
    """
    command = [sys.executable, "-m", "delineate.jobs.worker"]
    seen = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus] or [{}] * len(names)
    return [
        Process(name, [*command, name, queue], settings, environment=variables)
        for name, variables in zip(names, seen, strict=True)
    ]


def free_names(settings: Settings, stem: str, count: int) -> list[str]:
    """Names for workers that no live one has: ``stem-1`` and so on."""
    from delineate.jobs import engine
    from delineate.jobs.liveness import Presence

    database = engine.prepare(settings)
    presence = Presence(settings, database)
    every = (f"{stem}-{number}" for number in itertools.count(1))
    names = list(itertools.islice((one for one in every if not presence.held(one)), count))
    database.dispose()
    return names


def cards(count: int) -> tuple[str, ...]:
    """The first GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` calls them.

    Raises
    ------
    InputError
        If the variable is set and names fewer.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    named = [str(n) for n in range(count)] if visible is None else visible.split(",")
    named = [one.strip() for one in named if one.strip()]
    if len(named) < count:
        raise InputError(f"{count} GPUs are wanted, and CUDA_VISIBLE_DEVICES names {len(named)}")
    return tuple(named[:count])


@contextmanager
def running(
    host: str = "127.0.0.1",
    port: int = 0,
    data: Path = Path("delineate-data"),
    workers: int = 1,
    settings: Settings | None = None,
    patience: float = 60.0,
) -> Iterator[str]:
    """Run a service for the time of the block and give its address; see `serve`."""
    supervisor = Supervisor(host, port, settings or Settings(data=data), workers)
    ended, ready = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def tend() -> None:
        try:
            supervisor.run(ended, lambda _url: ready.set())
        except BaseException as error:
            failures.append(error)
            ready.set()

    thread = threading.Thread(target=tend, name="supervisor")
    thread.start()
    try:
        answered = ready.wait(patience)
        if failures:
            raise failures[0]
        if not answered:
            raise DelineateError(f"the service did not answer within {patience:g} s")
        yield supervisor.url
    finally:
        ended.set()
        thread.join()


def _answers(url: str) -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=2.0)
    try:
        # It may listen on all addresses, and be called by some names only.
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
