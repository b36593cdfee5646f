"""Searches find what a plain reading of PS3.4 C.2.2.2 finds, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from dicom_records import INSTANCE, SERIES, STUDY, record, uids, value
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.errors import QueryError
from delineate.jobs import dicom_index
from delineate.jobs.database import connect, migrate
from delineate.jobs.dicom_query import parse
from delineate.jobs.dicom_search import Place, locate, search

BASE = "http://node/dicomweb"
LETTERS = "aAbBéÉ^ *?%_[]!"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Engine]:
    if request.param == "postgresql":
        url = request.getfixturevalue("server").fresh()
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('index') / 'index.db'}"
    database = connect(url)
    migrate(database)
    yield database
    database.dispose()


TENANTS = count()


def found(
    database: sa.Engine, tenant: str, level: Any, *asked: tuple[str, str], study: str = ""
) -> list[dict[str, Any]]:
    query = parse(level, asked, 1000)
    return search(database, Place(tenant, study), query, BASE).found


# What is stored, and what is asked: the oracle below knows nothing of SQL.
names = st.text(LETTERS.replace("*", "").replace("?", ""), max_size=4)
days = st.sampled_from(["", "20240101", "20240102", "20250630", "19991231"])
times = st.sampled_from(["", "10", "1030", "103000", "103000.5", "235959.999999"])
studies = st.lists(
    st.fixed_dictionaries({"name": names, "id": names, "day": days, "time": times}), max_size=6
)


def matches_text(stored: str, pattern: str) -> bool:
    if pattern.strip() in ("", "*", '""'):
        return True
    parts = [one.strip() for one in pattern.strip().split("\\") if one.strip()]
    return not parts or any(
        re.fullmatch(
            "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in one),
            stored.strip(),
            re.DOTALL,
        )
        for one in parts
    )


def plain(name: str) -> str:
    return name.lower().replace("é", "e").strip().rstrip("^ ")


def matches_range(stored: str, asked: str, fill: str) -> bool:
    """Times and days in their longest form, compared as text."""
    low, dash, high = asked.partition("-")
    high = high if dash else low
    first = fill_up(low, "000000.000000") if fill else low
    last = fill_up(high, "235959.999999") if fill else high
    mine = fill_up(stored, "000000.000000") if fill else stored
    return bool(stored) and (not low or mine >= first) and (not high or mine <= last)


def fill_up(text: str, rest: str) -> str:
    return text + rest[len(text) :]


@settings(max_examples=20)
@given(
    stored=studies,
    name=st.text(LETTERS, max_size=4),
    number=st.text(LETTERS + "\\", max_size=4),
    day=st.sampled_from(["", "20240101", "20240101-20240630", "-20240101", "20240102-"]),
    time=st.sampled_from(["", "10", "1030-1031", "-1030", "103000.5-", "235959"]),
)
def test_a_search_finds_what_a_plain_reading_finds(
    database: sa.Engine, stored: list[dict[str, str]], name: str, number: str, day: str, time: str
) -> None:
    tenant = f"t{next(TENANTS)}"
    kept = [
        record(
            f"1.{n}",
            f"2.{n}",
            f"3.{n}",
            {
                "00100010": value("PN", {"Alphabetic": one["name"]}),
                "00100020": value("LO", one["id"]),
                "00080020": value("DA", one["day"]),
                "00080030": value("TM", one["time"]),
            },
        )
        for n, one in enumerate(stored)
    ]
    assert not any(dicom_index.add(database, tenant, kept, "own", ""))

    asked = (("PatientName", name), ("00100020", number), ("StudyDate", day), ("StudyTime", time))
    expected = {
        f"1.{n}"
        for n, one in enumerate(stored)
        if (name.strip() in ("", "*", '""') or matches_text(plain(one["name"]), plain(name) or "*"))
        and matches_text(one["id"], number)
        and (not day or matches_range(one["day"], day, ""))
        and (not time or matches_range(one["time"], time, "time"))
    }
    assert set(uids(found(database, tenant, "study", *asked), STUDY)) == expected


@settings(max_examples=12)
@given(st.data())
def test_pages_put_together_are_the_whole(database: sa.Engine, data: st.DataObject) -> None:
    tenant = f"t{next(TENANTS)}"
    total = data.draw(st.integers(0, 12))
    kept = [
        record(f"1.{n % 3}", f"2.{n % 5}.{n % 3}", f"3.{n}", {"00200013": value("IS", 12 - n)})
        for n in range(total)
    ]
    assert not any(dicom_index.add(database, tenant, kept, "own", ""))
    size = data.draw(st.integers(1, 5))
    for level, tag in (("study", STUDY), ("series", SERIES), ("instance", INSTANCE)):
        whole = uids(found(database, tenant, level), tag)
        pages: list[str] = []
        while True:
            query = parse(level, [("limit", str(size)), ("offset", str(len(pages)))], 1000)  # type: ignore[arg-type]
            answer = search(database, Place(tenant), query, BASE)
            pages += uids(answer.found, tag)
            if not answer.more:
                break
        assert pages == whole
        assert len(set(whole)) == len(whole) == len({one.uids[LEVEL[tag]] for one in kept})


LEVEL = {STUDY: 0, SERIES: 1, INSTANCE: 2}


@pytest.fixture(scope="module")
def hospital(database: sa.Engine) -> str:
    """Two studies: one with a CT of three slices and a SEG, one with an MR."""
    patient = {
        "00100010": value(
            "PN",
            {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
        ),
        "00100020": value("LO", "P1"),
        "00080020": value("DA", "20240501"),
        "00081030": value("LO", "Abdomen"),
    }
    request = {
        "00400275": value("SQ", {"00400009": value("SH", "SPS1"), "00401001": value("SH", "RP1")})
    }
    ct = [
        record(
            "1.1",
            "1.1.1",
            f"1.1.1.{n}",
            {**patient, **request, "00200013": value("IS", str(4 - n))},
        )
        for n in (1, 2, 3)
    ]
    seg = record(
        "1.1",
        "1.1.2",
        "1.1.2.1",
        {**patient, "00080060": value("CS", "SEG"), "00200011": value("IS", "7")},
    )
    mr = record(
        "1.2",
        "1.2.1",
        "1.2.1.1",
        {
            "00100020": value("LO", "P2"),
            "00080060": value("CS", "MR"),
            "00080020": value("DA", "2024.06.01"),
            "00080070": value("LO", "Maker"),
        },
    )
    assert not any(dicom_index.add(database, "hospital", [*ct, seg, mr], "own", ""))
    return "hospital"


@pytest.mark.parametrize(
    ("level", "asked", "expected"),
    [
        ("study", {"ModalitiesInStudy": "SEG"}, ["1.1"]),
        ("study", {"00080061": "SEG,MR"}, ["1.2", "1.1"]),
        ("study", {"ModalitiesInStudy": "S*"}, ["1.1"]),
        ("study", {"StudyInstanceUID": "1.2,1.3"}, ["1.2"]),
        ("study", {"StudyInstanceUID": "1.1\\1.2"}, ["1.2", "1.1"]),
        ("study", {"StudyDate": "20240601"}, ["1.2"]),
        ("study", {"PatientName": "yamada*"}, ["1.1"]),
        ("study", {"PatientName": "*太郎"}, ["1.1"]),
        ("study", {"PatientName": "=山田*"}, ["1.1"]),
        ("study", {"PatientName": "=yamada*"}, []),
        ("study", {"PatientID": "p1"}, []),
        ("study", {"StudyDescription": "Abd?men"}, ["1.1"]),
        ("series", {"Modality": "CT"}, ["1.1.1"]),
        ("series", {"SeriesNumber": "7"}, ["1.1.2"]),
        ("series", {"ModalitiesInStudy": "SEG"}, ["1.1.1", "1.1.2"]),
        ("series", {"PatientID": "P2"}, ["1.2.1"]),
        ("series", {"RequestAttributesSequence.ScheduledProcedureStepID": "SPS1"}, ["1.1.1"]),
        ("series", {"00400275.00401001": "RP*"}, ["1.1.1"]),
        ("instance", {"InstanceNumber": "1"}, ["1.1.1.3"]),
        ("instance", {"SOPInstanceUID": "1.1.1.2", "Modality": "CT"}, ["1.1.1.2"]),
        ("instance", {"SOPClassUID": "1.2.3"}, []),
    ],
)
def test_matching_worked_by_hand(
    database: sa.Engine, hospital: str, level: Any, asked: Mapping[str, str], expected: list[str]
) -> None:
    tag = {"study": STUDY, "series": SERIES, "instance": INSTANCE}[level]
    assert uids(found(database, hospital, level, *asked.items()), tag) == expected


def test_a_study_is_told_with_what_the_standard_asks_for(
    database: sa.Engine, hospital: str
) -> None:
    (one,) = found(database, hospital, "study", ("PatientID", "P1"))

    assert one["00080061"]["Value"] == ["CT", "SEG"]
    assert one["00201206"]["Value"] == [2]
    assert one["00201208"]["Value"] == [4]
    assert one["00081190"]["Value"] == [f"{BASE}/studies/1.1"]
    assert one["00080056"]["Value"] == ["ONLINE"]
    assert list(one) == sorted(one)


def test_slices_come_in_the_order_of_their_numbers(database: sa.Engine, hospital: str) -> None:
    series = found(database, hospital, "series", study="1.1")
    query = parse("instance", [], 1000)
    slices = search(database, Place(hospital, "1.1", "1.1.1"), query, BASE).found

    assert [one["00201209"]["Value"] for one in series] == [[1], [3]]
    assert uids(slices, INSTANCE) == ["1.1.1.3", "1.1.1.2", "1.1.1.1"]
    assert [one.uid for one in locate(database, Place(hospital, "1.1", "1.1.1"))] == uids(
        slices, INSTANCE
    )
    # Above the address, what a search of all would tell.
    (slice_,) = found(database, hospital, "instance", ("SOPInstanceUID", "1.1.1.1"))
    assert slice_["00100020"]["Value"] == ["P1"]
    assert slice_["00080060"]["Value"] == ["CT"]
    assert "00100020" not in slices[0]


def test_further_attributes_are_told_where_they_are_asked_for(
    database: sa.Engine, hospital: str
) -> None:
    asked = (("PatientID", "P2"),)
    (bare,) = found(database, hospital, "series", *asked)
    (more,) = found(database, hospital, "series", *asked, ("includefield", "Manufacturer"))
    (all_,) = found(database, hospital, "series", *asked, ("includefield", "all"))

    assert "00080070" not in bare
    assert more["00080070"]["Value"] == all_["00080070"]["Value"] == ["Maker"]


def test_another_tenant_sees_nothing(database: sa.Engine, hospital: str) -> None:
    assert found(database, "hospital2", "study") == []
    assert locate(database, Place("hospital2", "1.1")) == []


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "-1"},
        {"offset": "x"},
        {"StudyDate": "2024"},
        {"StudyDate": "-"},
        {"StudyTime": "1"},
        {"StudyInstanceUID": "1.2;drop table job"},
        {"NoSuchKeyword": "1"},
        {"includefield": "nonsense"},
        {"fuzzymatching": "maybe"},
        {"PatientName": "a\0b"},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(
    database: sa.Engine, asked: Mapping[str, str]
) -> None:
    with pytest.raises(QueryError):
        found(database, "hospital", "study", *asked.items())


def test_what_is_not_searched_by_is_said() -> None:
    query = parse(
        "study", [("fuzzymatching", "true"), ("Manufacturer", "x"), ("Modality", "CT")], 9
    )

    assert query.warnings == (
        "The fuzzymatching parameter is not supported. Only literal matching has been performed.",
        "00080070 is not searched by here and was ignored.",
        "00080060 is not searched by here and was ignored.",
    )
    assert query.matches == ()


def test_an_instance_is_kept_out_where_it_contradicts_what_is_there(database: sa.Engine) -> None:
    patient = {"00100020": value("LO", "P1")}
    first = record("1.1", "2.1", "3.1", patient)
    assert dicom_index.add(database, "one", [first, first], "own", "") == [None, None]
    before = _rows(database)

    refusals = dicom_index.add(
        database,
        "one",
        [
            record("1.1", "2.1", "3.1", {**patient, "00200013": value("IS", "9")}),
            record("1.1", "2.2", "3.1", patient),
            record("1.1", "2.2", "3.2", {"00100020": value("LO", "P2")}),
            record("1.9", "2.1", "3.3", patient),
        ],
        "own",
        "",
    )

    codes = [one.code if one else None for one in refusals]
    assert codes == [0x0111, 0xA900, 0xA900, 0xA900]
    assert _rows(database) == before


def test_what_an_image_held_is_forgotten_with_all_above_it(database: sa.Engine) -> None:
    before = _rows(database)
    image, other = "a" * 64, "b" * 64
    dicom_index.add(database, "two", [record("1.1", "2.1", "3.1")], "image", image)
    dicom_index.add(database, "two", [record("1.1", "2.2", "3.2")], "image", other)

    dicom_index.forget(database, "two", "image", image)
    assert uids(found(database, "two", "series"), SERIES) == ["2.2"]
    dicom_index.forget(database, "two", "image", other)
    assert _rows(database) == before


def test_what_is_too_old_is_forgotten_by_its_file(database: sa.Engine) -> None:
    kept = [record("1.1", "2.1", f"3.{n}") for n in (1, 2)]
    dicom_index.add(database, "three", kept[:1], "own", "")
    dicom_index.add(database, "three", kept[1:], "image", "c" * 64)

    dicom_index.forget_own(database, "three", [one.name for one in kept])
    assert uids(found(database, "three", "instance"), INSTANCE) == ["3.2"]


def _rows(database: sa.Engine) -> list[int]:
    names = ("dicom_study", "dicom_series", "dicom_instance", "dicom_header")
    with database.connect() as connection:
        return [
            connection.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar_one()
            for name in names
        ]
