"""Scores of results against references: metrics, batches of cases, statistics, reports."""

from delineate.evaluation.case import Rules, Scored
from delineate.evaluation.raters import Agreed, agreement
from delineate.evaluation.report import write_report
from delineate.evaluation.rules import Scoring
from delineate.evaluation.run import Evaluation, evaluate
from delineate.evaluation.score import METRICS, Metric, Score
from delineate.evaluation.scoring import score

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
