"""PS3.15 Table E.1-1: what the basic profile does with each attribute.

The table is the one that ``dicom-anonymizer`` keeps (edition 2026c). What that package does with it
is not used: it does not look into sequences, and makes random UIDs.
"""

from __future__ import annotations

from functools import cache

__all__ = ["rule_of"]


@cache
def _table() -> tuple[dict[int, str], tuple[tuple[int, int, int, int], ...]]:
    """Table E.1-1: what becomes of each attribute, and the repeating groups that go."""
    from dicomanonymizer.dicom_anonymization_databases import (  # type: ignore[import-untyped]
        dicomfields_2026c as fields,
    )

    rules = {
        "D": fields.D_TAGS,
        "Z": fields.Z_TAGS,
        "X": fields.X_TAGS,
        "U": fields.U_TAGS,
        "ZD": fields.Z_D_TAGS,
        "Z ": fields.X_Z_TAGS,
        "XD": fields.X_D_TAGS,
        "XZD": fields.X_Z_D_TAGS,
        "XZU": fields.X_Z_U_STAR_TAGS,
    }
    single = {
        (tag[0] << 16) | tag[1]: rule.strip()
        for rule, tags in rules.items()
        for tag in tags
        if len(tag) == 2
    }
    ranges = tuple(tag for tags in rules.values() for tag in tags if len(tag) == 4)
    return single, ranges


def rule_of(tag: int) -> str | None:
    """What the table says of an attribute: some of ``X`` (goes), ``Z`` (empty), ``D`` (another
    value) and ``U`` (another UID); ``None`` if it says nothing.
    """
    single, ranges = _table()
    if tag in single:
        return single[tag]
    group, element = tag >> 16, tag & 0xFFFF
    goes = any(
        group & mask == first & mask and element & fine == second & fine
        for first, second, mask, fine in ranges
    )
    return "X" if goes else None
