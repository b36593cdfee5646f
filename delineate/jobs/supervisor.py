"""Starts the processes of a service, starts them again when they die, stops them all."""

from __future__ import annotations

import http.client
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from delineate.errors import DelineateError, InputError
from delineate.jobs.settings import Settings

__all__ = ["Supervisor", "running", "serve"]

_TICK_SECONDS = 0.05
_GRACE_SECONDS = 6.0
_STEADY_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 5.0
_HOPELESS = 5


class _Process:
    """A process that should always be there."""

    def __init__(self, name: str, command: list[str], settings: Settings, keep: int = -1) -> None:
        self.name = name
        self._command = command
        self._environment = {**os.environ, **settings.to_environment()}
        self._keep = (keep,) if keep >= 0 else ()
        self._started = 0.0
        self._again_at = 0.0
        self.deaths = 0
        self.running: subprocess.Popen[bytes] | None = None

    def tend(self) -> None:
        """Start it if it is not running: at once, then after longer and longer pauses."""
        now = time.monotonic()
        if self.running is not None and self.running.poll() is None:
            if now - self._started > _STEADY_SECONDS:
                self.deaths = 0
            return
        if self.running is not None:
            self.running = None
            self.deaths += 1
            self._again_at = now + min(_LONGEST_PAUSE_SECONDS, 0.1 * 2 ** (self.deaths - 1))
        if now >= self._again_at:
            self._started = now
            self.running = subprocess.Popen(
                [*self._command, str(os.getpid())],
                env=self._environment,
                pass_fds=self._keep,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )


class Supervisor:
    """One API process and some workers.

    Parameters
    ----------
    host
        A loopback address: there is no authentication.
    port
        0 for any free one.
    workers
        Number of worker processes, each doing one job at a time.

    Raises
    ------
    InputError
        If the address is not a loopback one, or cannot be had.
    """

    def __init__(self, host: str, port: int, settings: Settings, workers: int) -> None:
        address = _loopback(host)
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
        self._socket.listen(1024)
        shown = f"[{address}]" if family == socket.AF_INET6 else address
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        module = [sys.executable, "-m"]
        descriptor = self._socket.fileno()
        web = [*module, "delineate.jobs.web", str(descriptor)]
        self._api = _Process("api", web, settings, keep=descriptor)
        self._workers = [
            _Process(name, [*module, "delineate.jobs.worker", name, "default"], settings)
            for name in (f"worker-{number}" for number in range(1, workers + 1))
        ]

    def run(self, stop: threading.Event, on_ready: Callable[[str], None] | None = None) -> None:
        """Keep everything running until ``stop`` is set; then stop it.

        The thread that calls this is the parent of all: if it ends, they are killed.

        Raises
        ------
        DelineateError
            If the API process dies again and again and never answers.
        """
        answered = False
        try:
            while not stop.wait(_TICK_SECONDS):
                for process in (self._api, *self._workers):
                    process.tend()
                if answered:
                    continue
                if self._api.deaths >= _HOPELESS:
                    raise DelineateError("the API does not start; what it says stands above")
                answered = _answers(self.url)
                if answered and on_ready is not None:
                    on_ready(self.url)
        finally:
            self.close()

    def close(self) -> None:
        """Stop all processes; the jobs in hand are taken up again at the next start."""
        started = [one.running for one in (self._api, *self._workers) if one.running is not None]
        for process in started:
            process.terminate()
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in started:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._socket.close()

    def pids(self) -> dict[str, int]:
        """Process ids by name, for those that run."""
        every = (self._api, *self._workers)
        return {one.name: one.running.pid for one in every if one.running is not None}


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    data: Path = Path("delineate-data"),
    workers: int = 1,
    on_ready: Callable[[str], None] | None = None,
    settings: Settings | None = None,
) -> None:
    """Run a service until SIGTERM or SIGINT.

    Parameters
    ----------
    host, port, workers
        See `Supervisor`.
    data
        Folder of uploads, results and the job table; made where it is missing.
    on_ready
        Called with the address once the service answers.
    settings
        Everything else; its ``data`` counts where it is given.
    """
    supervisor = Supervisor(host, port, settings or Settings(data=data), workers)
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        supervisor.run(stop, on_ready)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
    stop, ready = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def tend() -> None:
        try:
            supervisor.run(stop, lambda _url: ready.set())
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
        stop.set()
        thread.join()


def _loopback(host: str) -> str:
    """The address of a host name; raises unless only this machine can reach it."""
    try:
        address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise InputError(f"the host {host!r} is unknown; give 127.0.0.1") from error
    if not ipaddress.ip_address(address).is_loopback:
        raise InputError(
            f"delineate does not listen on {host}: it has no authentication yet, and whoever "
            "reaches that address could read every image; listen on 127.0.0.1, and put a proxy "
            "that authenticates in front"
        )
    return str(address)


def _answers(url: str) -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=2.0)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
