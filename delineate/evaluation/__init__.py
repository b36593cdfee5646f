"""Scores of results against references: metrics, batches of cases, statistics, reports.

What only a whole evaluation needs is imported at first use: processes that score start sooner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from delineate.evaluation.case import Rules, Scored
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import METRICS, Metric, Score
from delineate.evaluation.scoring import score

if TYPE_CHECKING:
    from delineate.evaluation.raters import Agreed, agreement
    from delineate.evaluation.report import write_report
    from delineate.evaluation.run import Evaluation, evaluate

__all__ = [
    "METRICS",
    "Agreed",
    "Evaluation",
    "Metric",
    "Rules",
    "Score",
    "Scored",
    "Scoring",
    "agreement",
    "evaluate",
    "score",
    "write_report",
]

_HOME_OF = {
    "Agreed": "raters",
    "Evaluation": "run",
    "agreement": "raters",
    "evaluate": "run",
    "write_report": "report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'delineate.evaluation' has no attribute {name!r}")
    value = getattr(import_module(f"delineate.evaluation.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
