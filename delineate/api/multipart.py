"""The parts of a form, written to disk as they come."""

from __future__ import annotations

from python_multipart.multipart import parse_options_header

from delineate.errors import TooLargeError
from delineate.jobs.related import MultipartReader
from delineate.jobs.upload import Reception

__all__ = ["Parts"]

_LONGEST_NAME = 4096
_LONGEST_FIELDS = 2**20


class Parts(MultipartReader):
    """Makes each part that has a file name a file.

    ``fields`` holds the other parts by name, as text; ``file_fields`` the names of the fields that
    the files came in, in their order.
    """

    def __init__(self, reception: Reception, boundary: bytes) -> None:
        super().__init__(boundary)
        self._reception = reception
        self._field_name = ""
        self._text = bytearray()
        self._texts = 0
        self._is_file = False
        self.fields: dict[str, str] = {}
        self.file_fields: list[str] = []

    def _part_begins(self, headers: dict[str, str]) -> None:
        told = headers.get("content-disposition", "").encode("latin-1")
        _, options = parse_options_header(told[:_LONGEST_NAME])
        self._field_name = options.get(b"name", b"").decode("utf-8", "replace")
        name = options.get(b"filename", b"").decode("utf-8", "replace")
        self._text.clear()
        # A browser sends an empty name for a file input without a file.
        self._is_file = bool(name)
        if name:
            self._reception.start(name)
            self.file_fields.append(self._field_name)

    def _part_goes_on(self, data: bytes) -> None:
        if self._is_file:
            self._reception.write(data)
            return
        self._texts += len(data)
        if self._texts > _LONGEST_FIELDS:
            raise TooLargeError(f"the fields of a form may hold {_LONGEST_FIELDS} bytes")
        self._text += data

    def _part_ends(self) -> None:
        if self._is_file:
            self._reception.end()
        elif self._field_name:
            self.fields[self._field_name] = self._text.decode("utf-8", "replace")
