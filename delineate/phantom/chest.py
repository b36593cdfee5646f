"""What lies above the diaphragm: lungs, heart, great vessels, windpipe and gullet."""

from __future__ import annotations

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.canvas import Bools, Canvas, Point
from delineate.phantom.diaphragm import Diaphragm
from delineate.phantom.tissue import Tissue
from delineate.phantom.wall import Frame


def paint_chest(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    rng: np.random.Generator,
) -> Point:
    """Paint the chest and say where the middle of the heart is."""
    x, y, z = canvas.x, canvas.y, canvas.z
    apex = anatomy.lung_apex_mm
    chest = frame.cavity & (z < apex - 0.0014 * x**2 - 0.0018 * y**2)
    # Below this the pleura does not reach: higher in front than behind.
    forward = np.clip(0.5 - 0.5 * y / frame.cavity_half_depth_mm, 0, 1)
    chest &= z > anatomy.costal_margin_mm - 25 + float(rng.uniform(55, 105)) * forward
    above = chest & (z > diaphragm.height)
    canvas.paint(above, Tissue.FAT if rng.random() < 0.7 else Tissue.MUSCLE)
    half = anatomy.mediastinum_mm * (1 - 0.35 * np.clip(-y / 60, -1, 1))
    lung = above & (z > diaphragm.height + float(rng.uniform(0.5, 3.0)))
    lung &= y < frame.spine_y + 66
    canvas.paint(lung & (x > half), Tissue.LUNG_LEFT)
    canvas.paint(lung & (x < -half), Tissue.LUNG_RIGHT)
    if rng.random() < 0.5:
        muscle = float(rng.uniform(1.5, 4))
        thin = frame.cavity & (np.abs(z - diaphragm.height + muscle / 2) < muscle / 2)
        canvas.paint(thin & (canvas.tissue == Tissue.FAT), Tissue.MUSCLE)
    across = (anatomy.heart_x_mm, float(rng.uniform(-42, -18)))
    resting = diaphragm.at(*across) + anatomy.heart_width_mm * float(rng.uniform(0.62, 0.95))
    heart = (*across, resting)
    _paint_heart(canvas, anatomy, frame.cavity, diaphragm, heart, rng)
    _paint_great_vessels(canvas, anatomy, diaphragm, heart, rng)
    _paint_lung_vessels(canvas, heart, rng)
    _paint_disease(canvas, rng)
    return heart


def _paint_heart(
    canvas: Canvas,
    anatomy: Anatomy,
    cavity: Bools,
    diaphragm: Diaphragm,
    heart: Point,
    rng: np.random.Generator,
) -> None:
    length, width = anatomy.heart_length_mm, anatomy.heart_width_mm
    reach = length * 1.3
    box = canvas.box(
        (heart[0] - reach, heart[1] - reach, heart[2] - reach),
        (heart[0] + reach, heart[1] + reach, heart[2] + reach),
    )
    x, y, z = canvas.x[box] - heart[0], canvas.y[box] - heart[1], canvas.z[box] - heart[2]
    turn = anatomy.heart_turn_rad
    axis = np.array([np.cos(turn), -np.sin(turn), -float(rng.uniform(0.25, 0.7))])
    axis /= np.linalg.norm(axis)
    along = x * axis[0] + y * axis[1] + z * axis[2]
    away = np.square(x) + np.square(y) + np.square(z) - np.square(along)
    # The base is broader than the apex.
    field = np.square(along / length) + away / np.square(width * (1 - 0.18 * along / length))
    over = canvas.z[box] - diaphragm.height[box]
    inside = cavity[box] & (over > 0)
    canvas.paint((field < float(rng.uniform(1.1, 1.6))) & inside, Tissue.FAT, box)
    # It rests on the diaphragm, with more or less fat between.
    inside &= over > float(rng.choice([0.5, 1.5, 3.0, 7.0]))
    canvas.paint((field < 1) & inside, Tissue.HEART_MUSCLE, box)
    side = x * -axis[1] + y * axis[0]
    left = np.square((along - 8) / (length * 0.72)) + (
        np.square(side - 0.34 * width) + np.square(z + 0.36 * along - 2)
    ) / np.square(width * 0.48)
    right = np.square((along + 2) / (length * 0.8)) + (
        np.square(side + 0.42 * width) + np.square(z + 0.36 * along + 2)
    ) / np.square(width * 0.46)
    atria = along < -0.35 * length
    inner = (field < 0.93) & inside
    canvas.paint(inner & ((right < 1) | (atria & (side < 0))), Tissue.RIGHT_HEART_BLOOD, box)
    canvas.paint(inner & ((left < 1) | (atria & (side > 2))), Tissue.LEFT_HEART_BLOOD, box)


def _paint_great_vessels(
    canvas: Canvas,
    anatomy: Anatomy,
    diaphragm: Diaphragm,
    heart: Point,
    rng: np.random.Generator,
) -> None:
    hx, hy, hz = heart
    radius = anatomy.aorta_radius_mm
    top = min(anatomy.lung_apex_mm - float(rng.uniform(30, 48)), hz + 125)
    spine = anatomy.spine_at

    def paint(points: list[Point], radii: list[float], tissue: Tissue) -> None:
        canvas.paint(canvas.tube(points, radii) < 1, tissue)

    windpipe = spine(top) - 42.0
    paint([(0, windpipe, top - 30), (1, windpipe, top), (0, 5, 340)], [8.5, 8.5], Tissue.AIRWAY)
    for side, lean in ((-1.0, 30.0), (1.0, 42.0)):
        paint([(0, windpipe, top - 30), (side * lean, windpipe + 4, top - 62)], [6], Tissue.AIRWAY)
    gullet = [(3.0, spine(z) - 27.0, z) for z in (300.0, 200.0, 100.0)]
    end = (14.0, spine(45) - 42.0)
    gullet.append((*end, diaphragm.at(*end) + 4))
    paint(gullet, [7, 7.5, 8], Tissue.OESOPHAGUS)
    trunk: list[Point] = [(hx - 6, hy - 8, hz + 34), (8, hy + 14, hz + 62)]
    paint(trunk, [13.5], Tissue.OTHER_VEIN)
    for side in (-1.0, 1.0):
        paint([trunk[1], (side * 46, spine(top) - 44, hz + 52)], [9.5], Tissue.OTHER_VEIN)
    paint(
        [(hx - 42, hy + 14, hz + 28), (-28, hy + 18, top), (-18, hy + 10, top + 40)],
        [9.5, 9],
        Tissue.OTHER_VEIN,
    )
    root = (hx - 20, hy + 4, hz + 26)
    behind = spine(top) - 20
    arch: list[Point] = [root, (-16, hy + 2, top - 24), (-6, hy + 6, top - 4)]
    arch += [(8, 0.5 * (hy + behind), top + 2), (20, behind - 6, top - 6)]
    down: list[Point] = []
    lateral, sunk = float(rng.uniform(-3, 9)), float(rng.uniform(0, 14))
    for z, side in ((top - 26, 25.0), (110.0, 25.0), (60.0, 21.0), (15.0, 13.0), (-40.0, 7.0)):
        if z < top - 20:
            gap = 10.0 if z > 60 else 10.0 + 0.12 * (60 - z)
            beside = min(1.0, max(0.0, (z - 15) / 60))  # at the side of the vertebrae, not before
            side, gap = side + lateral * beside, gap - sunk * beside
            down.append((side, spine(z) - gap - radius, z))
    paint(arch + down, [radius * 1.25] * 3 + [radius * 1.1] + [radius] * len(down), Tissue.AORTA)
    for x in (-14.0, 4.0, 18.0):
        paint([(x * 0.6, 0.5 * hy, top + 2), (2.4 * x, 4, top + 62)], [4.8], Tissue.OTHER_ARTERY)


def _paint_lung_vessels(canvas: Canvas, heart: Point, rng: np.random.Generator) -> None:
    sides = (
        (1.0, Tissue.LUNG_LEFT, Tissue.VESSEL_IN_LEFT_LUNG),
        (-1.0, Tissue.LUNG_RIGHT, Tissue.VESSEL_IN_RIGHT_LUNG),
    )
    for side, lung, vessel in sides:
        hilum = (side * 46, 14.0, heart[2] + 48)
        for _ in range(18):
            fork = (
                side * float(rng.uniform(55, 95)),
                float(rng.uniform(-50, 60)),
                heart[2] + float(rng.uniform(-45, 105)),
            )
            tip = tuple(f + float(d) for f, d in zip(fork, rng.normal(0, 28, 3), strict=True))
            for start, stop, radius in ((hilum, fork, 3.4), (fork, tip, 2.0)):
                box, field = canvas.capsule(start, stop, radius)  # type: ignore[arg-type]
                canvas.paint((field < 1) & (canvas.tissue[box] == lung), vessel, box)


def _paint_disease(canvas: Canvas, rng: np.random.Generator) -> None:
    """Consolidated lung (still lung) and fluid around it (not lung), sometimes."""
    draws = rng.random(4)
    levels = rng.uniform(20, 70, 2)
    spots = rng.uniform(-1, 1, (3, 3))
    sides = (
        (0, 1.0, Tissue.LUNG_LEFT, Tissue.VESSEL_IN_LEFT_LUNG),
        (1, -1.0, Tissue.LUNG_RIGHT, Tissue.VESSEL_IN_RIGHT_LUNG),
    )
    for index, side, lung, vessel in sides:
        if draws[index] < 0.15:
            pool = (canvas.tissue == lung) & (canvas.y - 0.12 * canvas.z > levels[index] - 12)
            canvas.paint(pool, Tissue.EFFUSION)
        if draws[index + 2] < 0.2:
            for spot in spots:
                centre = (side * 85 + 30 * spot[0], 30 + 45 * spot[1], 70 + 60 * spot[2])
                box, field = canvas.ellipsoid(centre, (22, 20, 18))
                canvas.paint((field < 1) & (canvas.tissue[box] == lung), vessel, box)
