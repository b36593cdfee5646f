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
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, BinaryIO

from delineate.errors import BadDetectionError, DelineateError, PluginLoadError
from delineate.imaging import Image
from delineate.plugins.channel import PROTOCOL, Channel
from delineate.plugins.contract import Detector, Monitor, Options
from delineate.plugins.reference import Reference, referenced
from delineate.plugins.registry import make
from delineate.plugins.runner import detect
from delineate.plugins.samples import read_image, write_array
from delineate.plugins.wire import Json, pack_detection

__all__ = ["main"]

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
        _same_protocol(message)
        detector = make(message["factory"], message["id"], message["arguments"])
        options_type = _options_type(message["options_type"], message["id"])
    except BaseException as error:
        channel.send(_failure(error))
        return
    channel.send({"type": "ready"})
    _serve(channel, detector, options_type, message["id"])


def _same_protocol(message: Json) -> None:
    if message.get("protocol") != PROTOCOL:
        raise PluginLoadError(
            f"detector {message['id']} runs in {sys.executable}, whose delineate speaks version "
            f"{PROTOCOL} of the messages between processes, not {message.get('protocol')}; install "
            "the same version of delineate there as here"
        )


def die_with_parent(parent: int) -> None:
    """Have Linux kill this process when its parent dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


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
        image_file, result_file, *others = order.files
        monitor = _Relay(channel, order.cancel)
        with ExitStack() as files:
            samples, *references = (
                files.enter_context(os.fdopen(number, "rb")) for number in (image_file, *others)
            )
            result = files.enter_context(os.fdopen(result_file, "wb"))
            try:
                chosen = _chosen(order.message, options, references)
                image = read_image(samples, order.message["image"])
                document = _run(image, result, detector, chosen, identifier, monitor)
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


def _chosen(message: Json, options: type[Options], files: Sequence[BinaryIO]) -> Options:
    """The options of a run, with the images that they name."""
    images = {
        name: read_image(file, form)
        for (name, form), file in zip(message["references"].items(), files, strict=True)
    }
    chosen = options.model_validate(message["options"])
    named = referenced(chosen)
    return chosen.model_copy(
        update={name: Reference(named[name].name, image) for name, image in images.items()}
    )


def _run(
    image: Image,
    result: BinaryIO,
    detector: Detector,
    chosen: Options,
    identifier: str,
    monitor: Monitor,
) -> Json:
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
