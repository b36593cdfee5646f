"""Spleen, stomach, duodenum and pancreas: what lies under the left dome and before the spine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.interpolate as interpolate

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.canvas import Canvas, Point
from delineate.phantom.diaphragm import Diaphragm
from delineate.phantom.tissue import Tissue
from delineate.phantom.wall import Frame


def paint_spleen(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    rng: np.random.Generator,
) -> None:
    """Paint the spleen, against the wall behind, hollow towards the stomach."""
    radii = (anatomy.spleen_width_mm, anatomy.spleen_depth_mm, anatomy.spleen_height_mm)
    behind = float(rng.uniform(8, 50))
    # The wall at this depth, so that the spleen lies against it.
    share = max(0.25, 1 - (behind / frame.cavity_half_depth_mm) ** frame.squareness)
    wall = frame.cavity_half_width_mm * share ** (1 / frame.squareness)
    x = wall - 0.6 * radii[0] - float(rng.uniform(-4, 8))
    crown = diaphragm.at(x - 0.5 * radii[0], behind)
    centre = (x, behind, crown - radii[2] * float(rng.uniform(0.45, 0.95)))
    box, _ = canvas.ellipsoid(centre, (radii[0] * 1.3, radii[1] * 1.3, radii[2] * 1.1))
    dx, dy, dz = (each[box] - at for each, at in zip(canvas.frame, centre, strict=True))
    lean = float(rng.uniform(-0.1, 0.45))  # the long axis follows the tenth rib
    dy = dy + lean * dz
    field = np.square(dx / radii[0]) + np.square(dy / radii[1]) + np.square(dz / radii[2])
    hollow = np.square(dx / radii[0] + float(rng.uniform(1.2, 1.8)))
    hollow += np.square(dy / radii[1] + float(rng.uniform(0.1, 0.7)))
    hollow += np.square(dz / radii[2] / float(rng.uniform(0.8, 1.4)))
    gap = float(rng.choice([0.0, 0.0, 1.5, 3.0]))
    mask = (field < 1) & (hollow > 0.5) & frame.grown_cavity(-gap)[box]
    mask &= canvas.z[box] < diaphragm.height[box] - gap
    mask &= canvas.tissue[box] < Tissue.LUNG_LEFT
    canvas.paint(mask, Tissue.SPLEEN, box)


def paint_stomach(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    rng: np.random.Generator,
) -> Point:
    """Paint the stomach, from empty to full, and say where its outlet is."""
    big, small = anatomy.stomach_fundus_mm, anatomy.stomach_antrum_mm
    x, y = float(rng.uniform(42, 84)), float(rng.uniform(-22, 30))
    top = diaphragm.at(x, y) - 0.8 * big - float(rng.uniform(2, 16))
    fall = float(rng.uniform(60, 135))
    front = -frame.cavity_half_depth_mm + 20
    outlet = (
        float(rng.uniform(-46, -18)),
        float(rng.uniform(-44, -14)),
        top - fall + float(rng.uniform(6, 34)),
    )
    bend: list[Point] = [
        (x, y, top),
        (x + float(rng.uniform(-8, 16)), max(y - 28, front), top - 0.4 * fall),
        (x - 22, max(y - 46, front), top - 0.8 * fall),
        (float(rng.uniform(-8, 14)), max(y - 42, front), top - fall),
        outlet,
    ]
    points = _curve(bend, 14)
    radii = np.interp(
        np.linspace(0, 1, len(points) - 1),
        (0, 0.35, 0.75, 0.95, 1),
        (big, 0.88 * big, small, 0.8 * small, 9),
    )
    field = canvas.tube(points, [float(r) for r in radii])
    folds = float(rng.uniform(0, 0.18)) * np.sin(canvas.x / 7 + canvas.y / 6) * np.sin(canvas.z / 8)
    field *= np.asarray(1 + folds, np.float32)
    mask = (field < 1) & frame.cavity & (canvas.z < diaphragm.height - 1.5)
    mask &= canvas.tissue < Tissue.LUNG_LEFT
    canvas.paint(mask, Tissue.STOMACH_WALL)
    wall = float(rng.uniform(2.5, 7)) / max(big, 12)
    inner = mask & (field < (1 - wall) ** 2)
    canvas.paint(inner, Tissue.STOMACH_CONTENT)
    if not inner.any():
        return outlet
    if rng.random() < 0.35:  # a meal
        canvas.paint(inner & (canvas.waves(rng, 8, 26) > rng.uniform(0.2, 1.2)), Tissue.FOOD)
    if rng.random() < 0.75:  # gas floats
        surface = np.quantile(canvas.y[inner], float(rng.uniform(0.03, 0.6)))
        canvas.paint(inner & (canvas.y < surface), Tissue.STOMACH_GAS)
    return outlet


def paint_duodenum(
    canvas: Canvas, anatomy: Anatomy, outlet: Point, rng: np.random.Generator
) -> None:
    """Paint the duodenum: from the stomach's outlet down beside the spine and across it."""
    before = anatomy.back_mm - float(rng.uniform(30, 48))
    low = min(outlet[2] - float(rng.uniform(50, 95)), anatomy.kidney_level_mm)
    right = float(rng.uniform(-58, -40))
    path: list[Point] = [
        outlet,
        (right + 4, 0.6 * before + 0.4 * outlet[1], outlet[2] + float(rng.uniform(-4, 12))),
        (right, before + 4, outlet[2] - 26),
        (right + 2, before + 2, low + 12),
        (right + 24, before - 6, low),
        (8, anatomy.spine_at(low) - 36, low + 4),
        (38, before - 6, low + float(rng.uniform(10, 34))),
    ]
    radius = float(rng.uniform(8.5, 13.5))
    field = canvas.tube(_curve(path, 16), [radius] * 15)
    free = np.isin(canvas.tissue, (Tissue.FAT, Tissue.MUSCLE))
    mask = (field < 1) & free
    canvas.paint(mask, Tissue.BOWEL_WALL)
    inner = mask & (field < 0.55)
    canvas.paint(inner, Tissue.BOWEL_CONTENT)
    if rng.random() < 0.3:
        canvas.paint(inner & (canvas.waves(rng, 20, 50) > 0.6), Tissue.BOWEL_GAS)


def paint_pancreas(
    canvas: Canvas, anatomy: Anatomy, outlet: Point, rng: np.random.Generator
) -> None:
    """Paint the pancreas: head in the bow of the duodenum, tail towards the spleen."""
    level = outlet[2] - float(rng.uniform(8, 34))
    before = anatomy.back_mm
    rise = float(rng.uniform(4, 40))
    points: list[Point] = [
        (-32, before - float(rng.uniform(46, 58)), level - float(rng.uniform(14, 34))),
        (-18, before - 60, level - 6),
        (4, before - float(rng.uniform(62, 74)), level + 4),
        (44, before - float(rng.uniform(42, 56)), level + 0.6 * rise),
        (float(rng.uniform(72, 96)), before - float(rng.uniform(18, 38)), level + rise),
    ]
    thick = float(rng.uniform(0.9, 1.45))
    field = canvas.tube(
        _curve(points, 12), [thick * r for r in np.interp(range(11), (0, 3, 10), (15, 9, 9.5))]
    )
    lobes = 0.25 * np.sin(canvas.x / 3.1) * np.sin(canvas.y / 3.4 + 1) * np.sin(canvas.z / 3.2)
    free = canvas.tissue == Tissue.FAT
    canvas.paint((field * (1 + lobes.astype(np.float32)) < 1) & free, Tissue.PANCREAS)


def _curve(points: Sequence[Point], count: int) -> list[Point]:
    """Points along a smooth curve through some."""
    curve = interpolate.PchipInterpolator(np.arange(len(points)), np.array(points))
    found = curve(np.linspace(0, len(points) - 1, count))
    return [(float(a), float(b), float(c)) for a, b, c in found]
