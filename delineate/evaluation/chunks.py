"""Score cases by somebody else, chunk by chunk; what comes of it is what scoring here gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from delineate.evaluation.case import Case, Rules, Scored
from delineate.evaluation.keeping import keep, kept
from delineate.evaluation.pool import score_all

__all__ = ["Outcomes", "score_by"]

_LARGEST_CHUNK, _CHUNKS_A_WORKER = 32, 8

# Each chunk with what came of it, in any order; nothing where it could not be scored there.
Outcomes = Iterator[tuple[Sequence[Case], list[Scored] | None]]


def score_by(
    there: Callable[[deque[Sequence[Case]]], Outcomes],
    workers: int,
    cases: Sequence[Case],
    rules: Rules,
    folder: Path | None,
    done: Callable[[int], None],
) -> list[Scored]:
    """Score cases in chunks.

    What was scored before is read, and what failed there is tried once more here: a file may be
    one that another machine does not see.

    Parameters
    ----------
    there
        Scores chunks.
    workers
        How many score at a time there.
    cases, rules, folder, done
        As for `pool.score_all`.
    """
    scored = _known(cases, rules, folder)
    done(len(scored))
    left = [one for one in cases if one.name not in scored]
    size = max(1, min(_LARGEST_CHUNK, len(left) // (workers * _CHUNKS_A_WORKER)))
    chunks: deque[Sequence[Case]] = deque(
        left[start : start + size] for start in range(0, len(left), size)
    )
    remaining: list[Case] = []
    for chunk, found in there(chunks):
        if found is None:
            remaining += chunk
            continue
        for case, one in zip(chunk, found, strict=True):
            if one.error:
                remaining.append(case)
                continue
            scored[case.name] = one
            if folder is not None:
                keep(one, case, rules, folder)
            done(1)
    scored |= {one.case: one for one in score_all(remaining, rules, folder, done)}
    return [scored[case.name] for case in cases]


def _known(cases: Sequence[Case], rules: Rules, folder: Path | None) -> dict[str, Scored]:
    """What was scored before; no file is read where nothing was."""
    if folder is None or not any(folder.glob("*.json")):
        return {}
    found = {case.name: kept(case, rules, folder) for case in cases}
    return {name: one for name, one in found.items() if one is not None}
