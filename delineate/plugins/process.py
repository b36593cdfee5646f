"""One detector's process: started, listened to, ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import Future
from typing import IO

from delineate.errors import DetectorCrashError, PluginLoadError
from delineate.plugins.channel import PROTOCOL, Channel
from delineate.plugins.contract import DetectorSpec
from delineate.plugins.wire import Json

__all__ = ["Child"]

_TICK_SECONDS = 0.05
_TERM_SECONDS = 0.4  # how long a process may take to end after SIGTERM
_TAIL_BYTES = 8192
_TAIL_SHOWN = 600
_BOOT = (
    "import json, sys\n"
    "sys.path[:] = json.loads(sys.argv[1]) or sys.path\n"
    "from delineate.plugins.child import main\n"
    "main(int(sys.argv[2]), int(sys.argv[3]))\n"
)


class Child:
    """One process with its channel and the end of what it printed."""

    def __init__(self, spec: DetectorSpec, memory_limit_mb: int | None) -> None:
        self._id = spec.id
        self._limit = memory_limit_mb
        self._ended = False
        ours, theirs = socket.socketpair()
        with theirs:
            own = spec.interpreter is None  # another Python has places of its own
            command = [
                spec.interpreter or sys.executable,
                "-c",
                _BOOT,
                json.dumps([os.path.abspath(place) for place in sys.path] if own else []),
                str(theirs.fileno()),
                str(os.getpid()),
            ]
            try:
                self.process = _spawner.start(command, theirs.fileno())
            except OSError as error:
                ours.close()
                raise PluginLoadError(
                    f"detector {spec.id} runs in {command[0]}, which cannot be started: "
                    f"{error.strerror}; expected the Python of an environment that has delineate "
                    "and the detector's package",
                    spec.id,
                ) from error
        self._channel = Channel(ours)
        self._tail: deque[int] = deque(maxlen=_TAIL_BYTES)
        assert self.process.stdout is not None
        self._drain = threading.Thread(
            target=_drain, args=(self.process.stdout, self._tail), daemon=True
        )
        self._drain.start()
        options = spec.options
        self.send(
            {
                "protocol": PROTOCOL,
                "id": spec.id,
                "factory": spec.factory,
                "arguments": dict(spec.arguments),
                "options_type": f"{options.__module__}:{options.__qualname__}",
                "memory_limit_mb": memory_limit_mb,
            }
        )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def send(self, message: Json, files: tuple[int, ...] = ()) -> None:
        """Send a message; raises :class:`DetectorCrashError` if nobody is there."""
        try:
            self._channel.send(message, files)
        except OSError:
            raise self.crashed(self._cause()) from None

    def receive(self) -> Json | None:
        """The next message; ``None`` if none came within a tick."""
        try:
            received = self._channel.receive(_TICK_SECONDS)
            # A process that the detector has forked may hold the socket open after its death.
            if received is None and not self.alive:
                received = self._channel.receive(0.0)
                if received is None:
                    raise EOFError("the process has ended")
        except EOFError:
            raise self.crashed(self._cause()) from None
        return None if received is None else received[0]

    def crashed(self, cause: str) -> DetectorCrashError:
        """The error that says what became of the process; ends it."""
        self.kill()
        text = bytes(self._tail).decode(errors="replace").strip()
        text = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
        text = re.sub(r"\n*Extension modules: .*", "", text)  # faulthandler's last line
        error = DetectorCrashError(f"detector {self._id} {cause}", self._id)
        if text:
            end = text if len(text) <= _TAIL_SHOWN else "... " + text[-_TAIL_SHOWN:]
            error.args = (f"{error.args[0]}; the end of what it printed: {end}",)
            error.add_note(f"printed by the detector's process:\n{text}")
        return error

    def kill(self) -> None:
        """End the whole process group: SIGTERM, then SIGKILL."""
        if self._ended:
            return
        self._ended = True
        if self.alive:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_TERM_SECONDS)
        self._signal(signal.SIGKILL)
        self.process.wait()
        self._channel.close()
        self._drain.join(0.5)  # a process that left the group may hold the pipe open
        if not self._drain.is_alive() and self.process.stdout is not None:
            self.process.stdout.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def _cause(self) -> str:
        """How the process died, in words."""
        try:
            code = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "closed its channel; it must leave descriptors alone that it did not open"
        if code == -signal.SIGKILL:
            return (
                "was killed (SIGKILL): the system probably ran out of memory; use a smaller image "
                "or a machine with more"
            )
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            limit = f", perhaps for want of memory (limit {self._limit} MB)" if self._limit else ""
            return f"crashed with {name}{limit}"
        return f"ended its process with exit code {code}"


def _drain(pipe: IO[bytes], tail: deque[int]) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := pipe.read(1 << 16):
            tail.extend(data[-_TAIL_BYTES:])


class _Spawner:
    """Starts processes from one thread that lives as long as this process.

    PR_SET_PDEATHSIG fires when the *thread* that started the child ends, so a child started from
    a thread pool would die with a thread that has nothing to do with it.
    """

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pid = 0

    def start(self, command: list[str], descriptor: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._pid != os.getpid():  # the first call, or the first after a fork
                self._pid = os.getpid()
                self._orders = queue.SimpleQueue()
                threading.Thread(target=_spawn, args=(self._orders,), daemon=True).start()
        started: Future[subprocess.Popen[bytes]] = Future()
        self._orders.put((command, descriptor, started))
        return started.result()


def _spawn(orders: queue.SimpleQueue[_Order]) -> None:
    while True:
        command, descriptor, started = orders.get()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(descriptor,),
                start_new_session=True,
                bufsize=0,
            )
        except BaseException as error:
            started.set_exception(error)
        else:
            started.set_result(process)


_Order = tuple[list[str], int, Future[subprocess.Popen[bytes]]]
_spawner = _Spawner()
