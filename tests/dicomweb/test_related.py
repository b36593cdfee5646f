"""Bodies of several parts: as the standard draws them, and back."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.errors import UploadError
from delineate.jobs.related import Body, Parts, Piece, blocks, length

# As RFC 2387 and PS3.18 8.6.1.2.1 have it.
GOLDEN = (
    b"--xyz\r\n"
    b"Content-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n"
    b"Content-Location: http://node/dicomweb/studies/1/series/2/instances/3\r\n"
    b"\r\n"
    b"0123456789\r\n"
    b"--xyz\r\n"
    b"Content-Type: application/dicom\r\n"
    b"\r\n"
    b"abc\r\n"
    b"--xyz--\r\n"
)


class Kept:
    """A sink that keeps what it takes."""

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self._file: BytesIO | None = None

    def start(self, name: str) -> None:
        self._file = BytesIO()

    def write(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)

    def end(self) -> None:
        assert self._file is not None
        self.files.append(self._file.getvalue())


def taken(body: bytes, step: int, boundary: bytes = b"xyz") -> tuple[Kept, Parts]:
    sink = Kept()
    parts = Parts(sink, boundary)
    for start in range(0, len(body), step):
        parts.take(body[start : start + step])
    parts.end()
    return sink, parts


def test_a_body_is_written_as_the_standard_has_it(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"--0123456789--")
    first = Body(
        [Piece(tmp_path / "one", 2, 4), Piece(tmp_path / "one", 6, 6)],
        "application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
        "http://node/dicomweb/studies/1/series/2/instances/3",
    )
    bodies = [first, Body([b"abc"], "application/dicom")]

    assert b"".join(blocks(bodies, "xyz")) == GOLDEN
    assert length(bodies, "xyz") == len(GOLDEN)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_it_is_taken_apart_wherever_it_is_cut(step: int) -> None:
    sink, parts = taken(GOLDEN, step)

    assert sink.files == [b"0123456789", b"abc"]
    assert parts.headers[1] == {"content-type": "application/dicom"}
    assert parts.headers[0]["content-location"].endswith("/instances/3")


@given(st.lists(st.binary(max_size=60), max_size=5), st.integers(1, 50))
def test_parts_come_back_as_they_went(contents: list[bytes], step: int) -> None:
    boundary = "f00df00df00df00d"
    body = b"".join(blocks([Body([one], "a/b") for one in contents], boundary))
    if contents:
        assert taken(body, step, boundary.encode())[0].files == contents


@pytest.mark.parametrize("cut", [0, 3, 60, len(GOLDEN) - 12])
def test_a_body_that_breaks_off_is_refused(cut: int) -> None:
    with pytest.raises(UploadError):
        taken(GOLDEN[:cut], 10)


def test_headers_without_end_are_refused() -> None:
    with pytest.raises(UploadError, match="header size"):
        taken(b"--xyz\r\nA: " + b"a" * 100_000, 1000)


def test_a_file_that_becomes_shorter_ends_the_answer(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"abc")
    with pytest.raises(OSError, match="shorter"):
        list(Piece(tmp_path / "one", 0, 4).blocks())
