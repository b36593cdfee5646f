"""Scores cases for another process: run as ``python -m delineate.evaluation.errand``.

Lines of JSON on stdin say what, lines on stdout how far it is and how it ended; see `main`. Once
stdin is closed, because whoever asked has gone, the process ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from delineate.errors import DelineateError
from delineate.evaluation.case import Case, Rules
from delineate.evaluation.gate import Requirement
from delineate.evaluation.pairs import Cases
from delineate.evaluation.pool import score_all
from delineate.evaluation.report import write_report
from delineate.evaluation.run import evaluate_cases

__all__ = ["main", "scored"]

_LAYOUTS = ("results of a service", "results of a service")


def scored(task: Mapping[str, Any], progress: Callable[[int, int], None]) -> None:
    """Score cases into a folder.

    Parameters
    ----------
    task
        ``cases`` and ``rules`` as JSON. ``folder``: made where it is missing. ``scored``: name of
        a file in it for what came of each case, in order. ``kept``: folder in which the scores of
        single cases are kept. ``processes``: how many; one scores here, and a case that kills it
        fails all. ``report``: ``None``, or ``title``, ``reference_title`` and ``requirements`` of
        a report that is to be written beside.
    progress
        Is told how many cases of how many are done.
    """
    cases = tuple(Case.from_json(one) for one in task["cases"])
    rules, folder, kept = Rules.from_json(task["rules"]), Path(task["folder"]), Path(task["kept"])
    asked = task["report"] or {"title": "", "reference_title": "", "requirements": []}
    without = tuple(one.name for one in cases if one.prediction is None)
    evaluation = evaluate_cases(
        Cases(cases=cases, without_prediction=without, layouts=_LAYOUTS),
        title=asked["title"],
        reference_title=asked["reference_title"],
        out=kept,
        rules=rules,
        requirements=[Requirement.parse(text) for text in asked["requirements"]],
        scorer=partial(score_all, workers=task["processes"]),
        progress=progress,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / task["scored"]).write_text(json.dumps([one.to_json() for one in evaluation.scored]))
    if task["report"]:
        write_report(evaluation, folder)


def main() -> None:
    """Do task after task.

    Answers each with lines ``{"done": 3, "of": 10}``, then ``{"ended": true}`` or ``{"error":
    {"name": ..., "message": ...}}``.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    tasks: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_receive, args=(tasks,), daemon=True).start()

    def tell(**what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    while True:
        try:
            scored(json.loads(tasks.get()), lambda done, of: tell(done=done, of=of))
        except DelineateError as error:
            tell(error={"name": type(error).__name__, "message": str(error)})
        else:
            tell(ended=True)


def _receive(tasks: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)  # nobody waits for an answer any more


if __name__ == "__main__":
    main()
