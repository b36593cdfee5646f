"""Scores of cases kept in files, so that a run that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from delineate import __version__
from delineate.errors import DelineateError
from delineate.evaluation.case import Case, Rules, Scored
from delineate.evaluation.scored import inputs_of, score_case

__all__ = ["keep", "kept", "kept_files", "score_chunk", "write_whole"]

_SCHEMA = "delineate/scored/1"


def score_chunk(
    cases: Sequence[Case], rules: Rules, folder: Path | None = None, threads: int | None = 1
) -> list[Scored]:
    """Score cases, one in memory at a time; those that were scored before are read.

    What is kept goes by the content of the inputs and the rules: a changed file or another
    tolerance is scored anew. Cases that failed are not kept, and tried again.

    Parameters
    ----------
    cases, rules
        What, and how.
    folder
        Where scores are kept, each in a file that appears whole or not at all; ``None``: nowhere.
    threads
        As for `score_case`.
    """
    return [_scored(case, rules, folder, threads) for case in cases]


def kept(case: Case, rules: Rules, folder: Path) -> Scored | None:
    """What is kept of a case whose files can be read and have not changed since."""
    try:
        return _read(folder / f"{_key(case, rules, inputs_of(case))}.json")
    except (DelineateError, OSError):
        return None


def keep(scored: Scored, case: Case, rules: Rules, folder: Path) -> None:
    """Keep what came of a case, unless it failed."""
    if not scored.error:
        document = {"schema": _SCHEMA, **scored.to_json()}
        content = json.dumps(document, separators=(",", ":")).encode()
        write_whole(folder / f"{_key(case, rules, scored.inputs)}.json", content)


def kept_files(scored: Sequence[Scored], cases: Mapping[str, Case], rules: Rules) -> set[str]:
    """Names of the files in which these are kept."""
    return {f"{_key(cases[one.case], rules, one.inputs)}.json" for one in scored if not one.error}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    scratch = path.with_name(f".{os.getpid()}.{path.name}.part")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _scored(case: Case, rules: Rules, folder: Path | None, threads: int | None) -> Scored:
    try:
        inputs = inputs_of(case)
    except (DelineateError, OSError) as error:
        name = getattr(error, "filename", None)
        what = (
            f"{error.strerror} ({Path(name).name})"
            if isinstance(error, OSError) and name
            else error
        )
        return Scored(case=case.name, error=str(what))
    if folder is None:
        return score_case(case, rules, inputs, threads)
    known = _read(folder / f"{_key(case, rules, inputs)}.json")
    if known is not None:
        return known
    scored = score_case(case, rules, inputs, threads)
    keep(scored, case, rules, folder)
    return scored


def _read(path: Path) -> Scored | None:
    """What is kept; nothing where it is broken, as after a loss of power."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Scored.from_json(document) if document["schema"] == _SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _key(case: Case, rules: Rules, inputs: Mapping[str, str]) -> str:
    tables = [
        None if table is None else sorted(table.items())
        for table in (case.reference_table, case.prediction_table)
    ]
    content = [_SCHEMA, __version__, case.name, dict(inputs), tables, rules.to_json()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
