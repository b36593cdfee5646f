"""Which structure of a prediction is which of the reference: by name, or by code and side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from delineate.errors import InputError
from delineate.imaging import Category, anatomy

__all__ = ["Pairing", "code_of", "paired", "plain", "same"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """What belongs together, by place in the two lists that were given.

    Parameters
    ----------
    partners
        For each structure of the reference: the prediction's, or ``None``.
    alone
        Structures of the prediction without a partner.
    """

    partners: tuple[int | None, ...]
    alone: tuple[int, ...]


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name without case, spaces and signs: ``"Lung-Lt"`` and ``"lung lt"`` are one."""
    return "".join(re.findall(r"[^\W_]+", name.casefold())) or name


@lru_cache(maxsize=4096)
def code_of(category: Category) -> str:
    """Code and side, SNOMED's old spelling brought to the new; empty if there is none.

    A structure without a code gets that of its name in the table of anatomy.
    """
    code, side = category.code, category.laterality
    if code is None:
        known = anatomy.category(category.name)
        if known is None or known.code is None:
            return ""
        code, side = known.code, known.laterality
    elif found := anatomy.by_code(code, side):
        code = found.code or code
    return f"{code.scheme}:{code.value}:{side or ''}"


def same(one: str, other: str) -> bool:
    """Whether two names mean one structure."""
    code = code_of(Category(one))
    return plain(one) == plain(other) or (code != "" and code == code_of(Category(other)))


def paired(
    reference: Sequence[Category], prediction: Sequence[Category], renamed: Mapping[str, str]
) -> Pairing:
    """Match the structures of both sides.

    Parameters
    ----------
    reference, prediction
        What the structures are.
    renamed
        Names of the prediction, and what the reference calls them. They come first; then equal
        names; then equal codes and sides, where only one structure of each side has them.

    Raises
    ------
    InputError
        If one side has two structures of one name, case and signs aside.
    """
    theirs = {plain(old): new for old, new in renamed.items()}
    names = [theirs.get(plain(one.name), one.name) for one in prediction]
    places = _unique(names, "prediction")
    ours = _unique([one.name for one in reference], "reference")
    partners: list[int | None] = [places.get(name) for name in ours]
    taken = {place for place in partners if place is not None}
    stated = {place for place, one in enumerate(prediction) if plain(one.name) in theirs}
    ours_coded = _lone(enumerate(reference))
    theirs_coded = _lone((n, one) for n, one in enumerate(prediction) if n not in stated)
    for code, place in ours_coded.items():
        other = theirs_coded.get(code)
        if partners[place] is None and other is not None and other not in taken:
            partners[place] = other
            taken.add(other)
    alone = tuple(place for place in range(len(prediction)) if place not in taken)
    return Pairing(tuple(partners), alone)


def _unique(names: Sequence[str], side: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, name in enumerate(names):
        if (other := found.setdefault(plain(name), place)) != place:
            raise InputError(
                f"the {side} has two structures of one name ({names[other]!r} and {name!r}); "
                "rename one, or merge them"
            )
    return found


def _lone(structures: Iterable[tuple[int, Category]]) -> dict[str, int]:
    """Places by code, of codes that only one structure has."""
    coded = [(code_of(one), place) for place, one in structures]
    counts = Counter(code for code, _ in coded)
    return {code: place for code, place in coded if code and counts[code] == 1}
