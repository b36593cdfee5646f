"""Scores of results against references: metrics, batches of cases, reports."""

from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import METRICS, Metric, Score
from delineate.evaluation.scoring import score

__all__ = ["METRICS", "Metric", "Score", "Scoring", "score"]
