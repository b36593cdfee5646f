"""Score cases on the workers of a delineate service; nothing that comes of it differs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from delineate import __version__
from delineate.client import Client, RemoteEvaluation
from delineate.errors import AccessError, Cancelled, DelineateError, DetectorError, InputError
from delineate.evaluation.case import Case, Rules, Scored
from delineate.evaluation.chunks import Outcomes, score_by

__all__ = ["Elsewhere"]

_AHEAD = 2  # chunks for each worker
_LOOK_SECONDS = 0.3


class Elsewhere:
    """Scores cases by a service whose workers see the same files; a `pool.Scorer`.

    Chunks of cases are jobs there, which are removed there once they are fetched. One whose worker
    dies is taken up by another. What cannot be scored there is tried here.

    Parameters
    ----------
    service
        With one of its ``shared_folders`` mounted here, in which all files lie.
    queue
        Which of its workers.
    tell
        Is told what was scored here instead, and why.
    """

    def __init__(
        self,
        service: Client,
        *,
        queue: str = "default",
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._service, self._queue, self._tell = service, queue, tell

    def __call__(
        self,
        cases: Sequence[Case],
        rules: Rules,
        folder: Path | None,
        done: Callable[[int], None] = lambda _: None,
    ) -> list[Scored]:
        """Score cases; the arguments are those of `pool.score_all`.

        Raises
        ------
        InputError
            If a file lies in no shared folder, or another version of delineate runs there.
        AccessError
            If the key lacks a scope: it takes ``run``, ``read`` and ``admin``.
        """
        health = self._service.health()
        if health["version"] != __version__:
            raise InputError(
                f"the service runs delineate {health['version']}, this is {__version__}, and "
                "scores might differ; install the same on both"
            )
        workers = max(1, int(health["workers"]))
        there = partial(self._there, rules, workers * _AHEAD)
        return score_by(there, workers, cases, rules, folder, done)

    def _there(self, rules: Rules, ahead: int, chunks: deque[Sequence[Case]]) -> Outcomes:
        waiting: list[tuple[Sequence[Case], RemoteEvaluation]] = []
        try:
            while chunks or waiting:
                while chunks and len(waiting) < ahead:
                    waiting.append((chunks[0], self._submitted(chunks[0], rules)))
                    chunks.popleft()
                ended = [one for one in waiting if one[1].state().ended]
                waiting = [one for one in waiting if one not in ended]
                for chunk, evaluation in ended:
                    yield chunk, self._fetched(chunk, evaluation)
                if not ended:
                    self._service.session.pause(_LOOK_SECONDS)
        finally:
            for _, evaluation in waiting:  # Ctrl-C above all
                with suppress(DelineateError):
                    evaluation.cancel()

    def _submitted(self, chunk: Sequence[Case], rules: Rules) -> RemoteEvaluation:
        return self._service.evaluate(
            map(_pair, chunk), report=False, queue=self._queue, **_asked(rules)
        )

    def _fetched(self, chunk: Sequence[Case], evaluation: RemoteEvaluation) -> list[Scored] | None:
        try:
            found = [Scored.from_json(one["kept"]) for one in evaluation.cases()]
        except (Cancelled, DetectorError) as error:
            names = ", ".join(case.name for case in chunk[:3])
            more = f" and {len(chunk) - 3} more" if len(chunk) > 3 else ""
            self._tell(f"{names}{more} could not be scored there ({error}); scored here")
            return None
        with suppress(AccessError):  # the scope "delete" is not needed for the rest
            evaluation.remove()
        return found


def _pair(case: Case) -> dict[str, Any]:
    """A case as the service takes it."""
    document = case.to_json()
    paths = {
        f"{side}_file": None if path is None else str(Path(path).absolute())
        for side in ("prediction", "reference", "image")
        for path in (document[side],)
    }
    tables = {name: document[name] for name in ("prediction_table", "reference_table")}
    return {"case": case.name, **paths, **tables, "groups": document["groups"]}


def _asked(rules: Rules) -> dict[str, Any]:
    """Rules as the service takes them."""
    document = rules.to_json()
    scoring = document.pop("scoring")
    return {**scoring, "map": document.pop("renamed"), **document}
