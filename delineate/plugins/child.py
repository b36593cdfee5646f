"""What runs in a detector's own process; started by :mod:`delineate.plugins.host`."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from delineate.errors import BadDetectionError, DelineateError, PluginLoadError, StorageFullError
from delineate.imaging import Image
from delineate.plugins.channel import Channel
from delineate.plugins.contract import Detector, Monitor, Options
from delineate.plugins.registry import make
from delineate.plugins.runner import detect
from delineate.plugins.wire import Json, grid_from_json, pack_detection

__all__ = ["main", "read_array", "write_array"]

_EVERY_SECONDS = 0.05
_TRACEBACK_CHARACTERS = 8000


def main(descriptor: int, parent: int) -> None:
    """Serve runs until the host hangs up.

    The first message says which detector to load; every further one is a run or the wish to
    cancel it.
    """
    die_with_parent(parent)
    faulthandler.enable(all_threads=False)
    os.set_inheritable(descriptor, False)
    channel = Channel(socket.socket(fileno=descriptor))
    greeting = channel.receive()
    assert greeting is not None
    message = greeting[0]
    if message["memory_limit_mb"] is not None:
        _limit_memory(int(message["memory_limit_mb"]))
    try:
        detector = make(message["factory"], message["id"], message["arguments"])
        options_type = _options_type(message["options_type"], message["id"])
    except BaseException as error:
        channel.send(_failure(error))
        return
    channel.send({"type": "ready"})
    _serve(channel, detector, options_type, message["id"])


def die_with_parent(parent: int) -> None:
    """Have Linux kill this process when its parent dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def write_array(file: BinaryIO, array: NDArray[Any]) -> Json:
    """Write samples to an empty file; what is returned lets :func:`read_array` read them.

    Raises
    ------
    StorageFullError
        If there is no room for them.
    """
    plain = np.ascontiguousarray(array)
    try:
        file.write(plain.reshape(-1).view(np.uint8).data)  # ndarray.tofile may lose the last block
        file.flush()
    except OSError as error:
        raise StorageFullError(
            f"no room is left for {plain.nbytes >> 20} MB of samples in the folder of temporary "
            "files; free some, or set TMPDIR to another folder"
        ) from error
    return {"shape": list(plain.shape), "dtype": plain.dtype.str}


def read_array(file: BinaryIO, form: Json) -> NDArray[Any]:
    """Map samples into memory, read-only; shared with whoever else has the file mapped."""
    shape = tuple(form["shape"])
    mapped = np.memmap(file, dtype=np.dtype(form["dtype"]), mode="r", shape=shape)
    return np.asarray(mapped)


class _Relay(Monitor):
    """Sends progress to the host, at most 20 times a second, and knows whether it cancelled."""

    def __init__(self, channel: Channel, cancel: threading.Event) -> None:
        self._channel, self._cancel = channel, cancel
        self._last, self._stage = 0.0, ""

    def progress(self, fraction: float, stage: str = "") -> None:
        now = time.monotonic()
        if now - self._last >= _EVERY_SECONDS or stage != self._stage:
            self._last, self._stage = now, stage
            self._channel.send({"type": "progress", "fraction": float(fraction), "stage": stage})

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """A run to do: what the host wrote, files for samples and result, its own wish to cancel."""

    message: Json
    files: list[int]
    cancel: threading.Event = field(default_factory=threading.Event)


def _serve(channel: Channel, detector: Detector, options: type[Options], identifier: str) -> None:
    orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, orders), daemon=True).start()
    while True:
        order = orders.get()
        image_file, result_file = order.files
        monitor = _Relay(channel, order.cancel)
        with os.fdopen(image_file, "rb") as samples, os.fdopen(result_file, "wb") as result:
            try:
                document = _run(
                    order.message, samples, result, detector, options, identifier, monitor
                )
            except BaseException as error:
                document = _failure(error)
        channel.send(document)


def _listen(channel: Channel, orders: queue.SimpleQueue[_Order]) -> None:
    last: _Order | None = None
    while True:
        try:
            received = channel.receive()
        except EOFError:
            os._exit(0)  # the host is gone or done; a detector that still runs runs for nobody
        assert received is not None
        message, files = received
        if message["type"] == "run":
            last = _Order(message, files)
            orders.put(last)
        elif last is not None and message["run"] == last.message["run"]:
            last.cancel.set()  # a cancel that comes after its run has ended is for nobody


def _run(
    message: Json,
    samples: BinaryIO,
    result: BinaryIO,
    detector: Detector,
    options: type[Options],
    identifier: str,
    monitor: Monitor,
) -> Json:
    form = message["image"]
    image = Image(
        read_array(samples, form),
        grid_from_json(form["grid"]),
        form["modality"],
        tuple(form["channels"]),
    )
    chosen = options.model_validate(message["options"])
    detection = detect(detector, identifier, image, chosen, monitor)
    try:
        document, array = pack_detection(detection)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadDetectionError(
            f"what detector {identifier} returned holds what it must not: {error}", identifier
        ) from error
    written = None if array is None else write_array(result, array)
    return {"type": "done", "detection": document, "array": written}


def _options_type(path: str, identifier: str) -> type[Options]:
    module, _, name = path.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise PluginLoadError(
            f"the options {path} of detector {identifier} cannot be imported "
            f"({type(error).__name__}: {error}); define the class at the top of a module",
            identifier,
        ) from error
    if not (isinstance(found, type) and issubclass(found, Options)):
        raise PluginLoadError(f"expected {path} to be a class of options", identifier)
    return found


def _limit_memory(megabytes: int) -> None:
    import resource

    # RLIMIT_DATA counts what is really written to; RLIMIT_AS would count the tens of gigabytes
    # of addresses that CUDA and allocators only reserve.
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    size = megabytes << 20
    resource.setrlimit(kind, (size, size))


def _failure(error: BaseException) -> Json:
    with contextlib.suppress(Exception):
        trace = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
        cause = error.__cause__ if isinstance(error, DelineateError) else error
        return {
            "type": "failed",
            "error": type(error).__name__ if isinstance(error, DelineateError) else "",
            "message": _message(error),
            "out_of_memory": cause is not None and _out_of_memory(cause),
            "traceback": trace,
        }
    return {
        "type": "failed",
        "error": "",
        "message": type(error).__name__,
        "out_of_memory": isinstance(error, MemoryError),
        "traceback": "",
    }


def _message(error: BaseException) -> str:
    if isinstance(error, DelineateError):
        return str(error)
    return f"failed with {type(error).__name__}: {error}"


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "allocate memory" in text)
    )
