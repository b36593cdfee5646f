"""Bodies of several parts, taken apart; of ``multipart/related`` (RFC 2387), put together too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from delineate.errors import UploadError

__all__ = ["Body", "MultipartReader", "Parts", "Piece", "Sink", "blocks", "head", "length", "tail"]

_BLOCK = 1 << 20


class Sink(Protocol):
    """Takes files one after the other, in pieces."""

    def start(self, name: str) -> None:
        """Begin a file."""

    def write(self, data: bytes) -> None:
        """Append to it."""

    def end(self) -> None:
        """Complete it."""


class MultipartReader(ABC):
    """Takes a multipart body in pieces; subclasses say what becomes of its parts."""

    def __init__(self, boundary: bytes) -> None:
        if not boundary or len(boundary) > 200:
            raise UploadError("the multipart body announces no boundary; let your client set it")
        self._field, self._value = bytearray(), bytearray()
        self._headers: dict[str, str] = {}
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": lambda: self._part_begins(self._headers),
                "on_part_data": lambda data, start, end: self._part_goes_on(data[start:end]),
                "on_part_end": self._part_ends,
                "on_end": self._end,
            },
        )

    def take(self, data: bytes) -> None:
        """The next piece of the body."""
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise UploadError(f"the multipart body is broken: {error}") from error

    def end(self) -> None:
        """The body is at its end."""
        if not self._complete:
            raise UploadError("the multipart body breaks off before its end; send it again")

    @abstractmethod
    def _part_begins(self, headers: dict[str, str]) -> None:
        """A part with these headers, their names in lower case."""

    @abstractmethod
    def _part_goes_on(self, data: bytes) -> None:
        """More of the part."""

    @abstractmethod
    def _part_ends(self) -> None:
        """The part is whole."""

    def _begin(self) -> None:
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name = self._field.decode("latin-1").lower()
        self._headers[name] = self._value.decode("latin-1").strip()
        self._field.clear()
        self._value.clear()

    def _end(self) -> None:
        self._complete = True


class Parts(MultipartReader):
    """Makes each part a file of the sink; ``headers`` has those of each."""

    def __init__(self, sink: Sink, boundary: bytes) -> None:
        super().__init__(boundary)
        self._sink = sink
        self.headers: list[dict[str, str]] = []

    def _part_begins(self, headers: dict[str, str]) -> None:
        self.headers.append(headers)
        self._sink.start("instance.dcm")

    def _part_goes_on(self, data: bytes) -> None:
        self._sink.write(data)

    def _part_ends(self) -> None:
        self._sink.end()


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a file: where it begins and how long it is."""

    path: Path
    offset: int
    length: int

    @classmethod
    def whole(cls, path: Path) -> Piece:
        """All of a file."""
        return cls(path, 0, path.stat().st_size)

    def blocks(self) -> Iterator[bytes]:
        """The bytes, a block at a time.

        Raises
        ------
        OSError
            If the file has become shorter: what was promised cannot be kept.
        """
        left = self.length
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while left:
                block = file.read(min(left, _BLOCK))
                if not block:
                    raise OSError("a file became shorter while it was sent")
                left -= len(block)
                yield block


@dataclass(frozen=True, slots=True)
class Body:
    """A part to send: bytes or pieces of files, its media type, its own address."""

    pieces: Sequence[Piece | bytes]
    media_type: str
    location: str = ""

    @property
    def length(self) -> int:
        """In bytes."""
        return sum(len(one) if isinstance(one, bytes) else one.length for one in self.pieces)

    def blocks(self) -> Iterator[bytes]:
        """The bytes, a block at a time."""
        for one in self.pieces:
            yield from (one,) if isinstance(one, bytes) else one.blocks()


def head(body: Body, boundary: str) -> bytes:
    """What goes before a part."""
    location = f"Content-Location: {body.location}\r\n" if body.location else ""
    lines = f"--{boundary}\r\nContent-Type: {body.media_type}\r\n{location}\r\n"
    return lines.encode("latin-1")


def tail(boundary: str) -> bytes:
    """What goes after the last part."""
    return f"--{boundary}--\r\n".encode()


def blocks(bodies: Sequence[Body], boundary: str) -> Iterator[bytes]:
    """A whole body, a block at a time."""
    for body in bodies:
        yield head(body, boundary)
        yield from body.blocks()
        yield b"\r\n"
    yield tail(boundary)


def length(bodies: Sequence[Body], boundary: str) -> int:
    """Of a whole body, in bytes."""
    return sum(len(head(one, boundary)) + one.length + 2 for one in bodies) + len(tail(boundary))
