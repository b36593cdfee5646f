"""What clients accept, and what they get for it (PS3.18 8.7)."""

from __future__ import annotations

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from delineate.api.dicomweb.accept import (
    accepted,
    form_of_frames,
    instance_syntax,
    picture_form,
)
from delineate.errors import NotAcceptableError

EXPLICIT, IMPLICIT, J2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.90"
OCTETS = "application/octet-stream"


def asking(accept: str, query: str = "") -> Request:
    headers = [(b"accept", accept.encode("latin-1"))] if accept else []
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    return Request({**scope, "query_string": query.encode()})


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        ('multipart/related; type="application/dicom"', J2K, (EXPLICIT, True)),
        ('multipart/related; type="application/dicom"; transfer-syntax=*', J2K, (J2K, True)),
        (f"multipart/related; type=application/dicom; transfer-syntax={J2K}", J2K, (J2K, True)),
        ("application/dicom; transfer-syntax=*", J2K, (J2K, False)),
        ("application/dicom", IMPLICIT, (EXPLICIT, False)),
        ("", EXPLICIT, (EXPLICIT, True)),
        ("*/*", J2K, (EXPLICIT, True)),
        ("image/png, */*;q=0.1", EXPLICIT, (EXPLICIT, True)),
        (
            'multipart/related; type="application/dicom";q=0.2, application/dicom;q=0.9',
            EXPLICIT,
            (EXPLICIT, False),
        ),
    ],
)
def test_an_instance_goes_out_in_the_syntax_that_is_taken(
    accept: str, stored: str, expected: tuple[str, bool]
) -> None:
    assert instance_syntax(accepted(asking(accept)), stored) == expected


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        (f'multipart/related; type="{OCTETS}"', EXPLICIT, (OCTETS, EXPLICIT, True)),
        (f'multipart/related; type="{OCTETS}"', J2K, (OCTETS, EXPLICIT, True)),
        (f'multipart/related; type="{OCTETS}"; transfer-syntax=*', J2K, (OCTETS, J2K, True)),
        (f"{OCTETS}", IMPLICIT, (OCTETS, EXPLICIT, False)),
        ('multipart/related; type="image/jp2"', J2K, ("image/jp2", J2K, True)),
        ('multipart/related; type="*/*"', J2K, ("image/jp2", J2K, True)),
        ("", EXPLICIT, (OCTETS, EXPLICIT, True)),
        ("image/jpeg, image/jp2", J2K, ("image/jp2", J2K, False)),
        (
            'multipart/related; type="image/dicom+rle"',
            "1.2.840.10008.1.2.5",
            ("image/dicom-rle", "1.2.840.10008.1.2.5", True),
        ),
    ],
)
def test_frames_go_out_in_a_form_that_is_taken(
    accept: str, stored: str, expected: tuple[str, str, bool]
) -> None:
    assert form_of_frames(accepted(asking(accept)), stored) == expected


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.50',
        "text/html",
        "application/dicom;q=0",
        "nonsense",
    ],
)
def test_what_cannot_be_given_is_said(accept: str) -> None:
    with pytest.raises(NotAcceptableError, match="accept"):
        instance_syntax(accepted(asking(accept)), J2K)
    with pytest.raises(NotAcceptableError):
        form_of_frames(accepted(asking(accept)), J2K)


def test_the_query_goes_before_the_header() -> None:
    assert picture_form(asking("image/jpeg", "accept=image/png")) == "png"
    assert picture_form(asking("image/png;q=0.5, image/*")) == "jpeg"
    with pytest.raises(NotAcceptableError):
        picture_form(asking("image/gif"))


@given(st.text("\"';,=/*q.0 abc\\\t", max_size=60))
def test_no_header_breaks_it(accept: str) -> None:
    for one in accepted(asking(accept)):
        assert one.type.count("/") == 1
        assert one.quality > 0
