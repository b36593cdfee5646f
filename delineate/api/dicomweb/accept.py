"""Which media types and transfer syntaxes a client takes (PS3.18 8.3.3, 8.4 and 8.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from fastapi import Request

from delineate.errors import NotAcceptableError
from delineate.formats.dicom.codecs import COMPRESSED, NATIVE

__all__ = [
    "EXPLICIT",
    "JSON",
    "OCTETS",
    "Range",
    "accepted",
    "demand_json",
    "form_of_frames",
    "instance_syntax",
    "picture_form",
]

EXPLICIT = "1.2.840.10008.1.2.1"
DICOM, JSON, OCTETS = "application/dicom", "application/dicom+json", "application/octet-stream"
_RELATED = "multipart/related"
_IMAGES: Mapping[str, str] = MappingProxyType(
    {
        "1.2.840.10008.1.2.5": "image/dicom-rle",
        **{f"1.2.840.10008.1.2.4.{n}": "image/jpeg" for n in (50, 51, 57, 70)},
        **{f"1.2.840.10008.1.2.4.{n}": "image/jls" for n in (80, 81)},
        **{f"1.2.840.10008.1.2.4.{n}": "image/jp2" for n in (90, 91)},
        **{f"1.2.840.10008.1.2.4.{n}": "image/jpx" for n in (92, 93)},
        **{f"1.2.840.10008.1.2.4.{n}": "image/jphc" for n in (201, 202, 203)},
        **{f"1.2.840.10008.1.2.4.{n}": "image/jxl" for n in (110, 111, 112)},
    }
)
# Names that were in use before, or are.
_ALSO = {"image/dicom+rle": "image/dicom-rle", "image/x-dicom-rle": "image/dicom-rle"}
_MOST_RANGES, _LONGEST = 64, 8192


@dataclass(frozen=True, slots=True)
class Range:
    """One media range: a type, for ``multipart`` that of the parts, and a transfer syntax.

    ``syntax`` is a UID, ``"*"`` or empty where none is named.
    """

    type: str
    is_multipart: bool
    syntax: str
    quality: float


def accepted(request: Request) -> list[Range]:
    """The media ranges of a request, the best first.

    The query parameter ``accept`` goes before the header, as PS3.18 8.3.3.1 has it.

    Raises
    ------
    NotAcceptableError
        If they cannot be read.
    """
    told = request.query_params.get("accept") or request.headers.get("accept") or "*/*"
    if len(told) > _LONGEST:
        raise NotAcceptableError(f"the Accept header is longer than {_LONGEST} characters")
    ranges = [one for part in _split(told, ",")[:_MOST_RANGES] if (one := _range(part))]
    return sorted((one for one in ranges if one.quality > 0), key=lambda one: -one.quality)


def _split(text: str, separator: str) -> list[str]:
    """Parts of a header; a separator in quotes is none."""
    parts, start, quoted = [], 0, False
    for at, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == separator and not quoted:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _range(text: str) -> Range | None:
    kind, *rest = (part.strip() for part in _split(text, ";"))
    if not re.fullmatch(r"[\w!#$&^.+*-]+/[\w!#$&^.+*-]+", kind):
        return None
    parameters = {}
    for one in rest:
        name, _, value = one.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"')
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 0.0
    kind = kind.lower()
    part = parameters.get("type", "*/*").lower() if kind == _RELATED else kind
    return Range(
        _ALSO.get(part, part), kind == _RELATED, parameters.get("transfer-syntax", ""), quality
    )


def demand_json(request: Request) -> None:
    """Refuse a client that does not take JSON.

    Raises
    ------
    NotAcceptableError
        So.
    """
    takes = ("application/json", JSON, "application/*", "*/*")
    if not any(one.type in takes and not one.is_multipart for one in accepted(request)):
        raise NotAcceptableError(f"this is given as {JSON} only")


def instance_syntax(ranges: Sequence[Range], stored: str) -> tuple[str, bool]:
    """In which transfer syntax to send an instance, and whether in a multipart body.

    Without ``transfer-syntax`` it is explicit little endian (PS3.18 8.7.3.5.2).

    Raises
    ------
    NotAcceptableError
        If none that is accepted can be had.
    """
    for one in ranges:
        if one.type not in (DICOM, "application/*", "*/*"):
            continue
        wanted = one.syntax or EXPLICIT
        multipart = one.is_multipart or one.type != DICOM
        if wanted in ("*", stored):
            return stored, multipart
        if wanted == EXPLICIT:
            return EXPLICIT, multipart
    raise NotAcceptableError(
        f"an instance is stored as {stored} and can be had as that or as {EXPLICIT}: accept "
        f'{_RELATED}; type="{DICOM}"; transfer-syntax=*'
    )


def form_of_frames(ranges: Sequence[Range], stored: str) -> tuple[str, str, bool]:
    """How to send frames: media type, transfer syntax, and whether in a multipart body.

    Parameters
    ----------
    ranges
        What is accepted.
    stored
        Transfer syntax of the instance. Frames in it go out as they are; those in explicit little
        endian are decoded where they have to be.

    Raises
    ------
    NotAcceptableError
        If none that is accepted can be had.
    """
    plain = stored in NATIVE or stored not in (*COMPRESSED, *_IMAGES)
    image = "" if plain else _IMAGES.get(stored, "")
    for one in ranges:
        multipart = one.is_multipart or "*" in one.type
        if one.type in (OCTETS, "application/*", "*/*"):
            if plain and one.syntax in ("", "*", EXPLICIT, stored):
                return OCTETS, EXPLICIT, multipart
            if one.syntax in ("*", stored):
                return OCTETS, stored, multipart
            if one.syntax == EXPLICIT or (not one.syntax and one.type != "*/*"):
                return OCTETS, EXPLICIT, multipart
        if image and one.type in (image, "image/*", "*/*") and one.syntax in ("", "*", stored):
            return image, stored, multipart
    raise NotAcceptableError(
        f"frames stored as {stored} can be had as {OCTETS}"
        + (f" or {image}" if image else "")
        + f': accept {_RELATED}; type="{OCTETS}"; transfer-syntax=*'
    )


def picture_form(request: Request) -> str:
    """Whether to send ``"jpeg"`` or ``"png"``.

    Raises
    ------
    NotAcceptableError
        If neither is accepted.
    """
    for one in accepted(request):
        if one.is_multipart:
            continue
        if one.type in ("image/jpeg", "image/*", "*/*"):
            return "jpeg"
        if one.type == "image/png":
            return "png"
    raise NotAcceptableError("pictures are given as image/jpeg or image/png")
