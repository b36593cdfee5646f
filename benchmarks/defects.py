"""Faults of printed boards found by `defects.compare`, on DeepPCB, beside a plain difference.

``python benchmarks/defects.py``; the pictures lie in ``../shared/data/defects/deeppcb``. A fault
is found if a box has an IoU above 0.33 with its own, one to one: the data set's rule.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measure import compare, report
from numpy.typing import NDArray
from PIL import Image as Picture
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops

from delineate import Grid, Image, delineate
from delineate.detectors.compare import spec
from delineate.errors import UnsuitableImageError

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "defects" / "deeppcb"
TYPES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
PRINTED_UPON = "44000020"  # its test picture has the annotators' boxes and words in it
IOU = 0.33
MARGIN, LEAST_AREA = 10, 12

Grey = NDArray[np.uint8]
Box = tuple[str, float, float, float, float]  # type, left, top, right, bottom
Find = Callable[[Grey, Grey], list[Box]]


@dataclass(frozen=True)
class Pair:
    """A test picture, its template and its faults."""

    name: str
    test: Grey
    template: Grey
    faults: list[Box]


@dataclass
class Tally:
    """What was found and missed, picture by picture."""

    hits: list[int] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    true: list[int] = field(default_factory=list)
    named: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    stray: Counter[str] = field(default_factory=Counter)

    def add(self, found: Sequence[Box], true: Sequence[Box]) -> None:
        """Count one picture."""
        pairs = matched(found, true)
        self.hits.append(len(pairs))
        self.found.append(len(found))
        self.true.append(len(true))
        self.named.update((true[j][0], found[i][0]) for i, j in pairs)
        self.stray.update(box[0] for i, box in enumerate(found) if i not in dict(pairs))
        taken = {j for _, j in pairs}
        self.missed.update(box[0] for j, box in enumerate(true) if j not in taken)

    def f1(self) -> float:
        """Of finding, whatever the type."""
        return 2 * sum(self.hits) / max(1, sum(self.found) + sum(self.true))

    def accuracy(self) -> float:
        """Share of what was found that has the right type."""
        right = sum(n for (true, named), n in self.named.items() if true == named)
        return right / max(1, sum(self.hits))

    def interval(self) -> tuple[float, float]:
        """95 % of the F1 over pictures drawn with replacement, 5000 times."""
        drawn = np.random.default_rng(0).integers(0, len(self.hits), (5000, len(self.hits)))
        hits, both = np.array(self.hits), np.array(self.found) + np.array(self.true)
        low, high = np.quantile(2 * hits[drawn].sum(1) / both[drawn].sum(1), (0.025, 0.975))
        return float(low), float(high)


def pairs() -> list[Pair]:
    found = []
    for path in sorted(DATA.rglob("*_test.jpg")):
        name = path.name[:8]
        lines = next(DATA.rglob(f"{name}.txt")).read_text().split("\n")
        rows = [[int(n) for n in line.split()] for line in lines if line.strip()]
        faults = [(TYPES[k - 1], float(a), float(b), float(c), float(d)) for a, b, c, d, k in rows]
        template = path.with_name(f"{name}_temp.jpg")
        found.append(Pair(name, opened(path), opened(template), faults))
    return found


def opened(path: Path) -> Grey:
    return np.asarray(Picture.open(path).convert("L"))


def ours(test: Grey, template: Grey) -> list[Box]:
    found = delineate(photograph(test), spec, {"template": photograph(template)})
    boxes = [(one.category.name, one.box) for one in found.findings]
    return [(name, *box[0][:2], *box[1][:2]) for name, box in boxes if box is not None]


def photograph(grey: Grey) -> Image:
    return Image(grey[None], Grid.regular((1, *grey.shape), unit="px"), "photo")


def plain(test: Grey, template: Grey) -> list[Box]:
    """Absolute difference, Otsu's threshold, connected pieces, boxes as the annotators pad them."""
    difference = np.abs(test.astype(int) - template)
    pieces = regionprops(label(difference > threshold_otsu(difference)))
    return [
        ("", left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)
        for top, left, bottom, right in (p.bbox for p in pieces if p.area >= LEAST_AREA)
    ]


def smoothed_plain(test: Grey, template: Grey) -> list[Box]:
    """The same after a median of 5 x 5 over the difference, which takes thin edges away."""
    difference = ndimage.median_filter(np.abs(test.astype(int) - template), 5)
    pieces = regionprops(label(difference > 127))
    return [
        ("", left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)
        for top, left, bottom, right in (p.bbox for p in pieces if p.area >= LEAST_AREA)
    ]


def matched(found: Sequence[Box], true: Sequence[Box]) -> list[tuple[int, int]]:
    """Indices of boxes that belong together, the best overlaps first."""
    overlaps = sorted(
        ((iou(f, t), i, j) for i, f in enumerate(found) for j, t in enumerate(true)), reverse=True
    )
    chosen: list[tuple[int, int]] = []
    for overlap, i, j in overlaps:
        if overlap > IOU and all(i != a and j != b for a, b in chosen):
            chosen.append((i, j))
    return chosen


def iou(one: Box, other: Box) -> float:
    width = min(one[3], other[3]) - max(one[1], other[1])
    height = min(one[4], other[4]) - max(one[2], other[2])
    if width <= 0 or height <= 0:
        return 0.0
    areas = ((box[3] - box[1]) * (box[4] - box[2]) for box in (one, other))
    return width * height / (sum(areas) - width * height)


def tally(cases: Sequence[Pair], find: Find, whole: bool = True) -> Tally:
    """Over all faults, or over those away from the border."""
    result = Tally()
    for case in cases:
        try:
            found = find(case.test, case.template)
        except UnsuitableImageError:
            found = []
        shape = case.test.shape
        result.add(*(each if whole else inner(each, shape) for each in (found, case.faults)))
    return result


def altered(case: Pair, degrees: float = 0.0, shift: tuple[int, int] = (0, 0)) -> Pair:
    """The test turned and shifted; both cut so that no sample is made up."""
    edge = 40
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(case.test.shape) - 1) / 2
    offset = centre - turn @ (centre + shift)
    moved = ndimage.affine_transform(case.test.astype(np.float32), turn, offset, order=1)
    test = np.rint(moved[edge:-edge, edge:-edge]).astype(np.uint8)
    faults = []
    for name, left, top, right, bottom in case.faults:
        middle = np.array([(top + bottom) / 2, (left + right) / 2])
        row, column = np.linalg.inv(turn) @ (middle - offset) - edge
        high, wide = (bottom - top) / 2, (right - left) / 2
        faults.append((name, column - wide, row - high, column + wide, row + high))
    return Pair(case.name, test, case.template[edge:-edge, edge:-edge], faults)


def inner(boxes: Sequence[Box], shape: tuple[int, int]) -> list[Box]:
    """Those whose middle is 40 samples or more from the border, where none was cut."""
    return [
        box
        for box in boxes
        if 40 <= (box[1] + box[3]) / 2 <= shape[1] - 40
        and 40 <= (box[2] + box[4]) / 2 <= shape[0] - 40
    ]


def shaded(grey: Grey, noise: float = 0.0) -> Grey:
    """Half the contrast, light that falls to a half across the picture, and noise."""
    light = 1 - np.add.outer(*(np.linspace(0, 0.25, n) for n in grey.shape))
    values = (60 + grey * 0.45) * light
    values = values + np.random.default_rng(0).normal(0, 1, grey.shape) * noise
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def compressed(grey: Grey, quality: int) -> Grey:
    buffer = io.BytesIO()
    Picture.fromarray(grey).save(buffer, "JPEG", quality=quality)
    return np.asarray(Picture.open(buffer))


def by_camera(case: Pair) -> Pair:
    """Turned, shifted, blurred, shaded, noisy and compressed."""
    moved = altered(case, 1.3, (9, -13))
    test = ndimage.gaussian_filter(moved.test.astype(np.float32), 1.2).astype(np.uint8)
    return Pair(case.name, compressed(shaded(test, 5), 60), moved.template, moved.faults)


ALTERATIONS: dict[str, Callable[[Pair], Pair]] = {
    "shifted by 20 and -20 samples": lambda c: altered(c, 0, (20, -20)),
    "turned by 2 degrees": lambda c: altered(c, 2),
    "turned by -2 degrees, shifted by 20": lambda c: altered(c, -2, (20, 20)),
    "half the contrast, uneven light": lambda c: Pair(c.name, shaded(c.test), c.template, c.faults),
    "JPEG of quality 20": lambda c: Pair(c.name, compressed(c.test, 20), c.template, c.faults),
    "both inverted": lambda c: Pair(c.name, 255 - c.test, 255 - c.template, c.faults),
    "as by a camera": by_camera,
}


def table(figures: dict[str, Any], name: str, result: Tally) -> None:
    low, high = result.interval()
    figures[f"{name}: F1"] = round(result.f1(), 4)
    figures[f"{name}: F1, 95 % interval"] = f"{low:.4f} to {high:.4f}"
    figures[f"{name}: precision"] = round(sum(result.hits) / max(1, sum(result.found)), 4)
    figures[f"{name}: recall"] = round(sum(result.hits) / sum(result.true), 4)
    figures[f"{name}: pictures, faults"] = f"{len(result.true)}, {sum(result.true)}"


def main() -> None:
    every = pairs()
    clean = [case for case in every if case.name != PRINTED_UPON]
    groups = {
        "92000": [c for c in clean if c.name.startswith("92")],
        "44000": [c for c in clean if c.name.startswith("44")],
        "both": clean,
        f"both and {PRINTED_UPON}": every,
    }
    figures: dict[str, Any] = {}
    for name, cases in groups.items():
        result = tally(cases, ours)
        table(figures, name, result)
        figures[f"{name}: class right"] = round(result.accuracy(), 4)
        if name == "both":
            for kind in TYPES:
                named = {k: n for (true, k), n in sorted(result.named.items()) if true == kind}
                figures[f"{kind}: named"] = named
                figures[f"{kind}: missed"] = result.missed[kind]
                figures[f"{kind}: found where there is none"] = result.stray[kind]
    for name, peer in {"difference + Otsu": plain, "difference + median": smoothed_plain}.items():
        table(figures, f"{name}, both", tally(clean, peer))
    for name, alter in ALTERATIONS.items():
        result = tally([alter(case) for case in clean[::3]], ours, whole=False)
        figures[f"{name}: F1, class right"] = f"{result.f1():.4f}, {result.accuracy():.4f}"
    case = clean[0]
    seconds = compare(
        {"ours": lambda: ours(case.test, case.template)}
        | {"difference + Otsu": lambda: plain(case.test, case.template)}
    )
    slower = seconds["ours"] / seconds["difference + Otsu"]
    report("defects", figures, {"time, against difference + Otsu": slower})


if __name__ == "__main__":
    main()
