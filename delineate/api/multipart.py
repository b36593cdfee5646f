"""The parts of a multipart body, written to disk as they come."""

from __future__ import annotations

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from delineate.errors import TooLargeError, UploadError
from delineate.jobs.upload import Reception

__all__ = ["Parts"]

_LONGEST_NAME = 4096
_LONGEST_FIELDS = 2**20


class Parts:
    """Takes a body in pieces; each part that has a file name becomes a file.

    ``fields`` holds the other parts by name, as text; ``file_fields`` the names of the fields that
    the files came in, in their order.
    """

    def __init__(self, reception: Reception, boundary: bytes) -> None:
        if not boundary or len(boundary) > 200:
            raise UploadError("the multipart body announces no boundary; let your client set it")
        self._reception = reception
        self._field = bytearray()
        self._value = bytearray()
        self._name: str | None = None
        self._field_name = ""
        self._text = bytearray()
        self._texts = 0
        self._is_file = False
        self.fields: dict[str, str] = {}
        self.file_fields: list[str] = []
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._part_end,
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

    def _begin(self) -> None:
        self._name, self._is_file, self._field_name = None, False, ""
        self._text.clear()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value[:_LONGEST_NAME]))
            self._field_name = options.get(b"name", b"").decode("utf-8", "replace")
            if b"filename" in options:
                self._name = options[b"filename"].decode("utf-8", "replace")
        self._field.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        # A browser sends an empty name for a file input without a file.
        if self._name:
            self._is_file = True
            self._reception.start(self._name)
            self.file_fields.append(self._field_name)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._reception.write(data[start:end])
            return
        self._texts += end - start
        if self._texts > _LONGEST_FIELDS:
            raise TooLargeError(f"the fields of a form may hold {_LONGEST_FIELDS} bytes")
        self._text += data[start:end]

    def _part_end(self) -> None:
        if self._is_file:
            self._reception.end()
        elif self._field_name:
            self.fields[self._field_name] = self._text.decode("utf-8", "replace")

    def _end(self) -> None:
        self._complete = True
