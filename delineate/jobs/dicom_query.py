"""What a search of DICOMweb asks for (PS3.18 10.6 and 8.3.4), as conditions for the database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from delineate.errors import QueryError
from delineate.jobs.dicom_attributes import ATTRIBUTES, LEVELS, Attribute, Level, folded
from delineate.jobs.dicom_tables import SERIES, STUDIES, table_of

__all__ = ["MODALITIES", "Query", "conditions", "parse"]

MODALITIES = "00080061"
_MODALITIES = Attribute(MODALITIES, "ModalitiesInStudy", "CS", "study")
_SEARCHED = {name: one for one in (*ATTRIBUTES, _MODALITIES) for name in (one.tag, one.keyword)}
_LONGEST = 1024
_MOST_VALUES = 500
_DAY, _LAST_TIME = re.compile(r"\d{8}"), "235959.999999"


@dataclass(frozen=True, slots=True)
class Query:
    """A search.

    Parameters
    ----------
    level
        Of what is answered.
    matches
        Attributes and what they have to be.
    include
        Tags of attributes to answer besides; all where ``everything``.
    limit, offset
        Which part of what is found.
    warnings
        What was asked for and is not done.
    """

    level: Level
    matches: tuple[tuple[Attribute, str], ...] = ()
    include: frozenset[str] = frozenset()
    everything: bool = False
    limit: int = 100
    offset: int = 0
    warnings: tuple[str, ...] = ()


def parse(level: Level, parameters: Sequence[tuple[str, str]], most: int) -> Query:
    """Read the parameters of a search.

    Parameters
    ----------
    level
        Of what is answered.
    parameters
        Names and values, in the order in which they came.
    most
        So many are answered at once, even if more are asked for.

    Raises
    ------
    QueryError
        If one makes no sense.
    """
    matches: list[tuple[Attribute, str]] = []
    include: set[str] = set()
    numbers = {"limit": most, "offset": 0}
    warnings: list[str] = []
    for name, value in parameters:
        if len(value) > _LONGEST * 64:
            raise QueryError(f"{name[:64]} is {len(value)} characters long; ask for fewer values")
        if name == "includefield":
            include.update(one.strip() for one in value.split(","))
        elif name in numbers:
            numbers[name] = _whole(name, value)
        elif name == "fuzzymatching":
            if value not in ("true", "false"):
                raise QueryError("fuzzymatching has to be true or false")
            if value == "true":
                warnings.append(
                    "The fuzzymatching parameter is not supported. "
                    "Only literal matching has been performed."
                )
        elif (attribute := _searched(name, level)) is not None:
            matches.append((attribute, value))
        else:
            warnings.append(f"{_tag(name)} is not searched by here and was ignored.")
    everything = "all" in include
    return Query(
        level,
        tuple(matches),
        frozenset(_tag(one) for one in include - {"all", ""}),
        everything,
        min(numbers["limit"], most),
        numbers["offset"],
        tuple(dict.fromkeys(warnings)),
    )


def _whole(name: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,9}", value):
        raise QueryError(f"{name} has to be a whole number, got {value[:20]!r}")
    return int(value)


def _searched(name: str, level: Level) -> Attribute | None:
    """The attribute that a parameter names, if it is searched by at this level or above."""
    one = _SEARCHED.get(name) or _SEARCHED.get(name.upper())
    return one if one and LEVELS.index(one.level) <= LEVELS.index(level) else None


def _tag(name: str) -> str:
    """The tag of an attribute, dots and all."""
    from pydicom.datadict import tag_for_keyword

    tags = []
    for part in name[:200].split("."):
        if re.fullmatch(r"[0-9A-Fa-f]{8}", part):
            tags.append(part.upper())
        elif (tag := tag_for_keyword(part)) is not None:
            tags.append(f"{tag:08X}")
        else:
            raise QueryError(
                f"{part[:64]!r} is neither a keyword nor a tag of DICOM; such as PatientID, "
                "00100020 or 00400275.00400009 are"
            )
    return ".".join(tags)


def conditions(query: Query, dialect: str) -> list[sa.ColumnElement[bool]]:
    """What rows have to fulfil, of the tables of the level and those above.

    Parameters
    ----------
    query
        The search.
    dialect
        ``"sqlite"`` or ``"postgresql"``.

    Raises
    ------
    QueryError
        For a value that is none of its attribute's form.
    """
    return [
        condition
        for attribute, value in query.matches
        for condition in _conditions(attribute, value, dialect)
    ]


def _conditions(attribute: Attribute, value: str, dialect: str) -> Iterator[sa.ColumnElement[bool]]:
    value = value.strip()
    if value in ("", "*", '""'):
        return  # universal matching
    if attribute is _MODALITIES:
        any_series = SERIES.alias()
        one = _any(any_series.c.modality, value, r"[\\,]", dialect)
        yield sa.exists().where(any_series.c.study == STUDIES.c.id, one).correlate(STUDIES)
        return
    columns = [table_of(attribute.level).c[name] for name in attribute.columns]
    if attribute.vr == "UI":
        yield columns[0].in_(_uids(attribute, value))
    elif attribute.vr == "IS":
        if not re.fullmatch(r"[+-]?\d{1,9}", value):
            raise QueryError(f"{attribute.keyword} has to be a whole number, got {value[:20]!r}")
        yield columns[0] == int(value)
    elif attribute.vr in ("DA", "TM"):
        low, high = (_day if attribute.vr == "DA" else _time)(attribute, value)
        yield columns[0] != ""
        if low:
            yield columns[0] >= low
        if high:
            yield columns[0] <= high
    elif attribute.vr == "PN":
        groups = [folded(group) for group in value.split("=")]
        yield (
            sa.or_(*(_like(column, groups[0], dialect) for column in columns))
            if len(groups) == 1
            else sa.and_(
                *(_like(c, g, dialect) for c, g in zip(columns, groups, strict=False) if g)
            )
        )
    else:
        parts = r"[\\,]" if attribute.vr == "CS" else r"\\"
        yield _any(columns[0], value, parts, dialect)


def _uids(attribute: Attribute, value: str) -> list[str]:
    uids = [one.strip() for one in re.split(r"[\\,]", value)]
    if len(uids) > _MOST_VALUES or not all(re.fullmatch(r"[0-9.]{1,64}", one) for one in uids):
        raise QueryError(
            f"{attribute.keyword} has to be a UID or up to {_MOST_VALUES} parted by commas"
        )
    return uids


def _any(
    column: sa.ColumnElement[str], value: str, separators: str, dialect: str
) -> sa.ColumnElement[bool]:
    values = [one.strip() for one in re.split(separators, value)]
    if len(values) > _MOST_VALUES:
        raise QueryError(f"at most {_MOST_VALUES} values can be asked for at once")
    wanted = [_like(column, one, dialect) for one in values if one]
    return sa.or_(*wanted) if wanted else sa.true()


def _like(column: sa.ColumnElement[str], pattern: str, dialect: str) -> sa.ColumnElement[bool]:
    """Wildcard matching (PS3.4 C.2.2.2.4), in which case counts."""
    if len(pattern) > _LONGEST or "\0" in pattern:
        raise QueryError(f"a value has at most {_LONGEST} characters, none of them a null")
    if not re.search(r"[*?]", pattern):
        return column == pattern
    if dialect == "postgresql":
        escaped = re.sub(r"([%_!])", r"!\1", pattern).replace("*", "%").replace("?", "_")
        return column.like(escaped, escape="!")
    return column.op("GLOB")(pattern.replace("[", "[[]"))


def _day(attribute: Attribute, value: str) -> tuple[str, str]:
    low, high = _range(attribute, value)
    for end in (low, high):
        if end and not _DAY.fullmatch(end):
            raise QueryError(
                f"{attribute.keyword} has to be a day as 20260131 or days as 20260101-20260131, "
                f"got {value[:40]!r}"
            )
    return low, high


def _time(attribute: Attribute, value: str) -> tuple[str, str]:
    low, high = _range(attribute, value.replace(":", ""))
    for end in (low, high):
        if end and not re.fullmatch(r"\d\d(\d\d){0,2}|\d{6}\.\d{1,6}", end):
            raise QueryError(
                f"{attribute.keyword} has to be a time as 1230, 123059.5 or a range of them, "
                f"got {value[:40]!r}"
            )
    first = f"{low.partition('.')[0]:0<6}.{low.partition('.')[2]:0<6}" if low else ""
    last = high + _LAST_TIME[len(high) :] if high else ""
    return first, last


def _range(attribute: Attribute, value: str) -> tuple[str, str]:
    low, dash, high = (part.strip() for part in value.partition("-"))
    if dash and not low and not high:
        raise QueryError(f"{attribute.keyword} has a range without ends; leave it out for all")
    return low, high if dash else low
