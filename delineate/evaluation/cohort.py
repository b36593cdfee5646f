"""What cases of things, classes and fields say together, which no mean of their scores says.

A case keeps its evidence, small and as JSON; figures of all cases come of that alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from delineate.evaluation import cohort_classes, cohort_fields, cohort_things
from delineate.evaluation.case import Scored

__all__ = ["cohort"]

_KINDS = {
    "things": cohort_things.figures,
    "classes": cohort_classes.figures,
    "fields": cohort_fields.figures,
}


def cohort(scored: Sequence[Scored]) -> dict[str, list[dict[str, Any]]]:
    """Figures of all cases together, by kind of evidence and structure by structure.

    Parameters
    ----------
    scored
        Cases; those that failed say nothing.

    Returns
    -------
    dict
        A list for each kind that is there: ``things``, ``classes`` and ``fields``. What is not
        defined is NaN.
    """
    found = {}
    for kind, figures in _KINDS.items():
        held: list[Mapping[str, Any]] = [
            one.evidence for one in scored if one.evidence.get("kind") == kind and not one.error
        ]
        if held:
            found[kind] = figures(held)
    return found
