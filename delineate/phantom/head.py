"""The head: skull with its base, face, jaw and teeth; brain, eyes and the air of the nose."""

from __future__ import annotations

import numpy as np

from delineate.phantom.canvas import Canvas, Point
from delineate.phantom.tissue import Tissue

_CENTRE: Point = (0.0, 2.0, 465.0)
_HARD = (Tissue.CORTICAL_BONE, Tissue.SPONGY_BONE, Tissue.TOOTH)


def paint_head(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint skull, brain and face."""
    size = float(rng.uniform(0.93, 1.06))
    _paint_face(canvas, rng)
    _paint_vault(canvas, size, rng)
    _paint_base(canvas, size, rng)
    _paint_eyes(canvas, rng)
    _paint_jaw(canvas, rng)


def _paint_vault(canvas: Canvas, size: float, rng: np.random.Generator) -> None:
    """The vault, two layers of dense bone with marrow between; the brain and its ventricles."""
    radii = (68 * size, 84 * size, 80 * size)
    box, field = canvas.ellipsoid(_CENTRE, radii)
    depth = (1 - np.sqrt(field)) * 75 * size  # mm below the outer surface, about
    thick = float(rng.uniform(5, 10)) * (1 + 0.25 * canvas.waves(rng, 60, 160)[box])
    thick = np.maximum(thick, 4.0)
    inside = depth > 0
    canvas.paint(inside, Tissue.CORTICAL_BONE, box)
    if rng.random() < 0.7:
        marrow = (depth > 0.3 * thick) & (depth < 0.7 * thick)
        canvas.paint(inside & marrow, Tissue.SPONGY_BONE, box)
    canvas.paint(depth > thick, Tissue.CANAL, box)
    canvas.paint(depth > thick + float(rng.uniform(0.5, 4)), Tissue.BRAIN, box)
    for side in (-1.0, 1.0):
        wide = float(rng.uniform(4, 12))
        ball, ventricle = canvas.ellipsoid((side * 13, 0, 478), (wide, 34, 12))
        canvas.paint(ventricle < 1, Tissue.CANAL, ball)


def _paint_base(canvas: Canvas, size: float, rng: np.random.Generator) -> None:
    """The floor of the skull, lower behind than in front; petrous bones; the great foramen."""
    box, field = canvas.ellipsoid(_CENTRE, (68 * size, 84 * size, 82 * size))
    x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
    floor = 408 - 0.28 * y + 6 * np.cos(y / 18) + float(rng.uniform(-6, 6))
    thick = float(rng.uniform(5, 9)) + 3 * np.square(x / 50)
    canvas.paint((field < 1) & (z < floor), Tissue.MUSCLE, box)
    plate = (field < 1) & (z < floor) & (z > floor - thick)
    canvas.paint(plate, Tissue.CORTICAL_BONE, box)
    canvas.paint(plate & (np.abs(z - floor + thick / 2) < 1.5), Tissue.SPONGY_BONE, box)
    for side in (-1.0, 1.0):
        inner, outer = (side * 12.0, 6.0, 412.0), (side * 60.0, 36.0, 410.0)
        part, petrous = canvas.capsule(inner, outer, float(rng.uniform(8, 12)))
        canvas.paint(petrous < 1, Tissue.CORTICAL_BONE, part)
        part, cells = canvas.ellipsoid((side * 56, 36, 402), (9, 11, 13))
        bubbles = canvas.waves(rng, 6, 14)[part] > float(rng.uniform(-0.8, 0.8))
        canvas.paint(cells < 1.5, Tissue.CORTICAL_BONE, part)
        canvas.paint((cells < 1) & bubbles, Tissue.AIRWAY, part)
    part, foramen = canvas.ellipsoid((0, 38, 396), (15, 17, 20))
    canvas.paint(foramen < 1, Tissue.CANAL, part)


def _paint_face(canvas: Canvas, rng: np.random.Generator) -> None:
    """Bones of the face around the air of nose and sinuses."""
    box, field = canvas.ellipsoid((0, -58, 398), (50, 34, 46))
    bubbly = canvas.waves(rng, 22, 60)[box]
    canvas.paint(field < 1, Tissue.MUSCLE, box)
    canvas.paint((field < 1) & (np.abs(bubbly) < 0.3), Tissue.SPONGY_BONE, box)
    canvas.paint((field < 1) & (np.abs(bubbly) < 0.16), Tissue.CORTICAL_BONE, box)
    full = rng.random() < 0.25
    for side in (-1.0, 1.0):
        part, sinus = canvas.ellipsoid((side * 27, -60, 399), (14, 17, 18))
        canvas.paint(sinus < 1.4, Tissue.CORTICAL_BONE, part)
        canvas.paint(sinus < 1, Tissue.MUSCLE if full else Tissue.AIRWAY, part)
        arch = [(side * 44.0, -62.0, 402.0), (side * 66.0, -34.0, 408.0), (side * 62.0, 0.0, 410.0)]
        canvas.paint(canvas.tube(arch, [4.5, 4.0]) < 1, Tissue.CORTICAL_BONE)
    part, nose = canvas.ellipsoid((0, -52, 402), (12, 34, 22))
    canvas.paint(nose < 1, Tissue.AIRWAY, part)
    septum = (nose < 1) & (np.abs(canvas.x[part]) < 2)
    canvas.paint(septum, Tissue.CARTILAGE, part)
    for side in (-1.0, 1.0):
        shell, concha = canvas.ellipsoid((side * 7, -54, 396), (3.5, 20, 7))
        canvas.paint(concha < 1, Tissue.MUSCLE, shell)
    part, frontal = canvas.ellipsoid((0, -74, 446), (24, 8, 14))
    canvas.paint(frontal < 1, Tissue.CORTICAL_BONE, part)
    part, throat = canvas.ellipsoid((0, -18, 378), (13, 9, 34))
    canvas.paint(throat < 1, Tissue.AIRWAY, part)


def _paint_eyes(canvas: Canvas, rng: np.random.Generator) -> None:
    """Orbits: bone around fat around eyes."""
    high = float(rng.uniform(424, 432))
    for side in (-1.0, 1.0):
        box, field = canvas.ellipsoid((side * 31, -66, high), (19, 26, 18))
        canvas.paint((field < 1.45) & (canvas.y[box] > -80), Tissue.CORTICAL_BONE, box)
        canvas.paint(field < 1, Tissue.FAT, box)
        box, eye = canvas.ellipsoid((side * 31, -76, high), (12, 12, 12))
        canvas.paint(eye < 1, Tissue.CANAL, box)


def _paint_jaw(canvas: Canvas, rng: np.random.Generator) -> None:
    """Lower jaw, palate and teeth, some of them missing; a filling may be very dense."""
    drop = float(rng.uniform(0, 10))
    for side in (-1.0, 1.0):
        jaw = [(0.0, -86.0, 352.0 - drop), (side * 26.0, -74.0, 350.0 - drop)]
        jaw += [(side * 44.0, -34.0, 356.0 - drop), (side * 50.0, -12.0, 404.0)]
        bone = canvas.tube(jaw, [7.5, 7.0, 6.0])
        cheek = canvas.tube(jaw, [15.0, 14.0, 12.0]) < 1
        canvas.paint(cheek & (canvas.tissue == Tissue.AIR), Tissue.FAT)
        canvas.paint(bone < 1, Tissue.CORTICAL_BONE)
        canvas.paint(bone < 0.3, Tissue.SPONGY_BONE)
        for level in (364.0 - drop, 374.0):
            row = [(0.0, -84.0, level), (side * 18.0, -74.0, level), (side * 27.0, -48.0, level)]
            along = canvas.tube(row, [4.5, 5.5])
            there = np.sin(0.9 * canvas.y + float(rng.uniform(0, 6))) > float(
                rng.uniform(-1.2, 0.6)
            )
            canvas.paint((along < 1.6) & ~np.isin(canvas.tissue, _HARD), Tissue.MUSCLE)
            canvas.paint((along < 1) & there, Tissue.TOOTH)
    box, palate = canvas.ellipsoid((0, -58, 382), (26, 28, 4))
    canvas.paint(palate < 1, Tissue.CORTICAL_BONE, box)
