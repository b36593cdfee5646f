"""JSON messages over a socket between a host and its detector's process."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["PROTOCOL", "Channel"]

PROTOCOL = 2
"""Of the messages; both sides must speak the same."""

_HEAD = struct.Struct("!IB")
_LIMIT = 1 << 30
_FILES = 64  # most descriptors beside one message


class Channel:
    """Messages, each a JSON object with a few open files beside it.

    Apart from stdout and stderr, so that nothing a detector prints is taken for a message. Files
    have no name on disk: whoever dies, nothing is left behind.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = bytearray()
        self._files: deque[int] = deque()
        self._sending = threading.Lock()

    def send(self, message: Mapping[str, Any], files: Iterable[int] = ()) -> None:
        """Send one message; descriptors stay open on this side.

        Raises
        ------
        OSError
            If the other side is gone.
        """
        descriptors = list(files)
        body = json.dumps(message).encode()
        head = _HEAD.pack(len(body), len(descriptors))
        with self._sending:
            if descriptors:
                # The descriptors travel with the head's bytes, hence before the body.
                socket.send_fds(self._socket, [head], descriptors)
                self._socket.sendall(body)
            else:
                self._socket.sendall(head + body)

    def receive(self, timeout: float | None = None) -> tuple[dict[str, Any], list[int]] | None:
        """The next message and its descriptors; ``None`` if none came within ``timeout`` seconds.

        Raises
        ------
        EOFError
            If the other side is gone or what it sends is no message.
        """
        self._socket.settimeout(timeout)
        while (message := self._parse()) is None:
            try:
                data, files, _, _ = socket.recv_fds(self._socket, 1 << 16, _FILES)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                raise EOFError(str(error)) from error
            self._files.extend(files)
            if not data:
                raise EOFError("the other side is gone")
            self._buffer += data
        return message

    def close(self) -> None:
        """Close the socket; the other side reads end of file."""
        self._socket.close()

    def _parse(self) -> tuple[dict[str, Any], list[int]] | None:
        if len(self._buffer) < _HEAD.size:
            return None
        size, count = _HEAD.unpack_from(self._buffer)
        if size > _LIMIT:
            raise EOFError(f"a message of {size} bytes announces itself")
        end = _HEAD.size + size
        if len(self._buffer) < end:
            return None
        try:
            message: dict[str, Any] = json.loads(self._buffer[_HEAD.size : end])
        except ValueError as error:
            raise EOFError("what came is no JSON") from error
        del self._buffer[:end]
        return message, [self._files.popleft() for _ in range(count)]
