"""One number about one structure of one case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ABSENT", "INVENTED", "METRICS", "MISSED", "Metric", "Score", "presence"]

# Notes of scores of structures that are not there on both sides.
MISSED = "missed"
INVENTED = "invented"
ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Score:
    """A value of a metric.

    Parameters
    ----------
    structure
        Its name; empty for the image as a whole.
    metric
        A name in `METRICS`.
    value
        Not a number where the metric is not defined, such as a distance to something that is not
        there.
    unit
        ``"1"``, ``"mm"``, ``"ml"``, ``"px"``, ``"px2"`` or ``"count"``.
    note
        `MISSED`: in the reference only; `INVENTED`: in the prediction only; `ABSENT`: in neither.
    """

    structure: str
    metric: str
    value: float
    unit: str
    note: str = ""


def presence(*, reference: bool, prediction: bool) -> str:
    """The note of a structure that is or is not there."""
    if reference and prediction:
        return ""
    if reference or prediction:
        return MISSED if reference else INVENTED
    return ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a metric is.

    Parameters
    ----------
    title
        What people read.
    better
        Which way it should go; empty for what is neither good nor bad.
    definition
        In words and symbols; R is the reference, P the prediction.
    source
        Where it comes from.
    empty_rule
        What it is where R, P or both are empty.
    """

    name: str
    title: str
    better: Literal["higher", "lower", ""]
    definition: str
    source: str
    empty_rule: str


_ONE_EMPTY = "0 if one is empty, undefined (left out of means) if both are"
_DISTANCE = "undefined if R or P is empty: counted as missed or invented beside every mean"
_DICE = "Dice, Ecology 26, 1945, doi:10.2307/1932409"
_RELOADED = "Maier-Hein and others, Metrics Reloaded, Nat. Methods 21, 2024"
_NIKOLOV = "Nikolov and others, J. Med. Internet Res. 23, 2021, doi:10.2196/26151"

_ALL = (
    Metric(
        name="dice",
        title="Dice",
        better="higher",
        definition="2 |R and P| / (|R| + |P|), by samples",
        source=_DICE,
        empty_rule=_ONE_EMPTY,
    ),
    Metric(
        name="iou",
        title="IoU",
        better="higher",
        definition="|R and P| / |R or P|, by samples",
        source="Jaccard, Bull. Soc. Vaud. Sci. Nat. 37, 1901",
        empty_rule=_ONE_EMPTY,
    ),
    Metric(
        name="sensitivity",
        title="Sensitivity",
        better="higher",
        definition="|R and P| / |R|, by samples",
        source=_RELOADED,
        empty_rule="undefined if R is empty",
    ),
    Metric(
        name="precision",
        title="Precision",
        better="higher",
        definition="|R and P| / |P|, by samples",
        source=_RELOADED,
        empty_rule="undefined if P is empty",
    ),
    Metric(
        name="volume_reference",
        title="Volume of the reference",
        better="",
        definition="samples of R times the volume of one (the area, in a single slice)",
        source="",
        empty_rule="0",
    ),
    Metric(
        name="volume_prediction",
        title="Volume of the prediction",
        better="",
        definition="samples of P times the volume of one (the area, in a single slice)",
        source="",
        empty_rule="0",
    ),
    Metric(
        name="volume_difference",
        title="Volume difference",
        better="",
        definition="volume of P less that of R; its size, not its sign, is an error",
        source="",
        empty_rule="the other's volume, with its sign",
    ),
    Metric(
        name="nsd",
        title="Normalised surface Dice",
        better="higher",
        definition="share of both surfaces that lies within the tolerance of the other surface",
        source=_NIKOLOV,
        empty_rule=_ONE_EMPTY,
    ),
    Metric(
        name="hd",
        title="Hausdorff distance",
        better="lower",
        definition="the greater of the greatest distance from R's surface to P's and from P's to "
        "R's",
        source="Huttenlocher and others, IEEE TPAMI 15, 1993, doi:10.1109/34.232073",
        empty_rule=_DISTANCE,
    ),
    Metric(
        name="hd95",
        title="95th percentile Hausdorff distance",
        better="lower",
        definition="the greater of the 95th percentiles of the distances from R's surface to P's "
        "and from P's to R's",
        source=_RELOADED,
        empty_rule=_DISTANCE,
    ),
    Metric(
        name="assd",
        title="Average symmetric surface distance",
        better="lower",
        definition="mean over the distances of both directions together",
        source="Heimann and others, IEEE TMI 28, 2009, doi:10.1109/TMI.2009.2013851",
        empty_rule=_DISTANCE,
    ),
    Metric(
        name="masd",
        title="Mean average surface distance",
        better="lower",
        definition="mean of the two directions' mean distances",
        source=_RELOADED,
        empty_rule=_DISTANCE,
    ),
    Metric(
        name="centroid_distance",
        title="Distance of the centroids",
        better="lower",
        definition="distance between the means of the samples' centres",
        source="",
        empty_rule=_DISTANCE,
    ),
    Metric(
        name="added_path_length",
        title="Added path length",
        better="lower",
        definition="length of R's outlines, slice by slice, that P's outline of the same slice "
        "does not hold and somebody has to draw: border pixels of R farther from every border "
        "pixel of P than the tolerance (0 by default), times the mean pixel spacing",
        source="Vaassen and others, Phys. Imaging Radiat. Oncol. 13, 2020, "
        "doi:10.1016/j.phro.2019.12.001",
        empty_rule="the whole length of R's outlines if P is empty; 0 if R is empty",
    ),
    Metric(
        name="count_reference",
        title="Things in the reference",
        better="",
        definition="their number",
        source="",
        empty_rule="0",
    ),
    Metric(
        name="count_prediction",
        title="Things in the prediction",
        better="",
        definition="their number",
        source="",
        empty_rule="0",
    ),
    Metric(
        name="count_error",
        title="Absolute error of the count",
        better="lower",
        definition="|number in P - number in R|; its mean over cases is the MAE",
        source="",
        empty_rule="the other's number",
    ),
    Metric(
        name="count_relative_error",
        title="Relative error of the count",
        better="lower",
        definition="|number in P - number in R| / number in R",
        source="",
        empty_rule="undefined if R has none",
    ),
    Metric(
        name="game",
        title="Grid average mean absolute error, 4 x 4",
        better="lower",
        definition="the image cut into 4 x 4 equal parts (GAME(2)): sum of the absolute errors of "
        "their counts; things found in the wrong place do not make good for missed ones",
        source="Guerrero-Gomez-Olmedo and others, IbPRIA 2015, doi:10.1007/978-3-319-19390-8_48",
        empty_rule="the other's number",
    ),
    Metric(
        name="detection_precision",
        title="Precision of detection",
        better="higher",
        definition="things of P with a partner in R / things of P",
        source=_RELOADED,
        empty_rule="undefined if P has none",
    ),
    Metric(
        name="detection_recall",
        title="Recall of detection",
        better="higher",
        definition="things of R with a partner in P / things of R",
        source=_RELOADED,
        empty_rule="undefined if R has none",
    ),
    Metric(
        name="detection_f1",
        title="F1 of detection",
        better="higher",
        definition="2 TP / (2 TP + FP + FN), partners one to one",
        source=_RELOADED,
        empty_rule="0 if one has none, undefined if both",
    ),
    Metric(
        name="recognition_quality",
        title="Recognition quality",
        better="higher",
        definition="F1 of detection with partners whose IoU is above one half",
        source="Kirillov and others, Panoptic Segmentation, CVPR 2019, arXiv:1801.00868",
        empty_rule="0 if one has none, undefined if both",
    ),
    Metric(
        name="segmentation_quality",
        title="Segmentation quality",
        better="higher",
        definition="mean IoU of the partners whose IoU is above one half",
        source="Kirillov and others, Panoptic Segmentation, CVPR 2019, arXiv:1801.00868",
        empty_rule="undefined without partners",
    ),
    Metric(
        name="panoptic_quality",
        title="Panoptic quality",
        better="higher",
        definition="recognition quality times segmentation quality",
        source="Kirillov and others, Panoptic Segmentation, CVPR 2019, arXiv:1801.00868",
        empty_rule="0 if one has none, undefined if both",
    ),
    Metric(
        name="average_precision",
        title="Average precision",
        better="higher",
        definition="area under the step curve of precision over recall as the score falls; the "
        "surest thing chooses its partner first",
        source="Everingham and others, Int. J. Comput. Vis. 88, 2010, "
        "doi:10.1007/s11263-009-0275-4 (all points, not interpolated)",
        empty_rule="0 if only R has things, undefined if R has none",
    ),
    Metric(
        name="correct",
        title="Right class",
        better="higher",
        definition="1 if the most probable class is the true one, else 0; its mean is the accuracy",
        source="",
        empty_rule="undefined without classes",
    ),
    Metric(
        name="true_probability",
        title="Probability of the truth",
        better="higher",
        definition="probability that was given to the true class",
        source="",
        empty_rule="undefined without classes",
    ),
    Metric(
        name="brier",
        title="Brier score",
        better="lower",
        definition="sum over the classes of (probability - truth) squared",
        source="Brier, Mon. Weather Rev. 78, 1950",
        empty_rule="undefined without classes",
    ),
    Metric(
        name="auroc",
        title="AUROC",
        better="higher",
        definition="probability that a sample inside R scores above one outside, ties by half",
        source="Hanley and McNeil, Radiology 143, 1982, doi:10.1148/radiology.143.1.7063747",
        empty_rule="undefined if R is empty or everything",
    ),
    Metric(
        name="pro",
        title="Per-region overlap",
        better="higher",
        definition="mean over R's regions of the share that is found, integrated over the false "
        "positive rate from 0 to 0.3 and divided by 0.3",
        source="Bergmann and others, Int. J. Comput. Vis. 129, 2021, "
        "doi:10.1007/s11263-020-01400-4",
        empty_rule="undefined if R is empty or everything",
    ),
)

METRICS = {metric.name: metric for metric in _ALL}
