"""The liver with its vessels and lesions, and the gallbladder below it."""

from __future__ import annotations

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.canvas import Canvas, Floats
from delineate.phantom.diaphragm import Diaphragm
from delineate.phantom.tissue import Tissue
from delineate.phantom.wall import Frame


def paint_liver(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    rng: np.random.Generator,
) -> None:
    """Paint the liver: under the right dome, against the wall, its left lobe a wedge in front."""
    low, left = anatomy.liver_low_mm, anatomy.liver_left_mm
    box = canvas.box((-230, -200, low - 10), (left + 25, 190, 140))
    x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
    width, depth = frame.cavity_half_width_mm, frame.cavity_half_depth_mm
    gap = float(rng.choice([0.0, 1.0, 2.5, 5.0]))
    across = _eased(x, -width, left)
    floor = low + anatomy.liver_slope * 105 * across
    floor += (
        float(rng.uniform(-5, 38)) * (0.4 + 0.6 * across) * np.clip(0.5 + 0.5 * y / depth, 0, 1)
    )
    spine = frame.spine_y[box]
    lobe = float(rng.uniform(48, 105))
    wedge = lobe * np.sqrt(np.clip(1 - np.maximum(x, 0) / max(left, 1.0), 0, 1)) - depth
    groove = spine - float(rng.uniform(24, 34))
    behind = groove + (spine + 14 - groove) * (1 - _eased(x, -62, -40))
    behind += (np.minimum(wedge, groove) - behind) * _eased(x, -14, 12)
    mask = frame.grown_cavity(-gap)[box] & (z < diaphragm.height[box] - gap) & (z > floor)
    mask &= (x < left) & (y < behind)
    porta = np.square((x + 22) / 24) + np.square((y - spine + 55) / 13)
    porta += np.square((z - floor - 12) / float(rng.uniform(14, 26)))
    mask &= porta > 1
    if rng.random() < 0.6:  # the fissure of the round ligament
        cleft = np.abs(x + float(rng.uniform(-2, 16)) + 0.1 * y) < float(rng.uniform(2, 6))
        mask &= ~(cleft & (z < floor + rng.uniform(20, 55)) & (y < -0.3 * depth))
    axes = tuple(axis[part] for axis, part in zip(canvas.axes, box, strict=True))
    mask = canvas.rounded(mask, axes, float(rng.uniform(4, 8)))
    mask &= frame.cavity[box] & (canvas.tissue[box] < Tissue.LUNG_LEFT)
    mask &= z < diaphragm.height[box] - 0.5 * gap
    canvas.paint(mask, Tissue.LIVER, box)
    _paint_inside(canvas, anatomy, diaphragm, rng)
    if rng.random() < 0.8:
        _paint_gallbladder(canvas, anatomy, frame, rng)


def _eased(value: Floats, low: float, high: float) -> Floats:
    place = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(place * place * (3 - 2 * place))


def _paint_inside(
    canvas: Canvas, anatomy: Anatomy, diaphragm: Diaphragm, rng: np.random.Generator
) -> None:
    """Branches of portal and hepatic veins, and sometimes lesions."""
    hilum = (-22.0, anatomy.back_mm - 50, anatomy.liver_low_mm + 75)
    crown = (-24.0, anatomy.back_mm - 34, diaphragm.at(-24, anatomy.back_mm - 34) - 18)
    for _ in range(11):
        start = hilum if rng.random() < 0.6 else crown
        stop = (
            float(rng.uniform(-120, 30)),
            float(rng.uniform(-60, 50)),
            start[2] + float(rng.uniform(-45, 40)),
        )
        tube, field = canvas.capsule(start, stop, float(rng.uniform(2.0, 5.0)))
        inside = canvas.tissue[tube] == Tissue.LIVER
        canvas.paint((field < 1) & inside, Tissue.VESSEL_IN_LIVER, tube)
    if rng.random() < 0.35:
        for _ in range(int(rng.integers(1, 7))):
            size = float(rng.uniform(4, 26))
            spot = (
                float(rng.uniform(-140, 20)),
                float(rng.uniform(-60, 60)),
                float(rng.uniform(-90, 40)),
            )
            ball, field = canvas.ellipsoid(spot, (size, size * 0.9, size))
            inside = np.isin(canvas.tissue[ball], (Tissue.LIVER, Tissue.VESSEL_IN_LIVER))
            canvas.paint((field < 1) & inside, Tissue.LESION_IN_LIVER, ball)


def _paint_gallbladder(
    canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator
) -> None:
    size = anatomy.gallbladder_mm
    x = float(rng.uniform(-72, -36))
    across = (x + frame.cavity_half_width_mm) / (anatomy.liver_left_mm + frame.cavity_half_width_mm)
    floor = anatomy.liver_low_mm + anatomy.liver_slope * 105 * across * across * (3 - 2 * across)
    centre = (x, float(rng.uniform(-58, -15)), floor + float(rng.uniform(-6, 18)))
    lean = float(rng.uniform(-0.6, 0.6))
    box, _ = canvas.ellipsoid(centre, (size * 1.8, size * 2.2, size * 2.2))
    y, z = canvas.y[box] - centre[1], canvas.z[box] - centre[2]
    field = np.square((canvas.x[box] - centre[0]) / (0.9 * size))
    field += np.square((y - lean * z) / size) + np.square(z / (size * float(rng.uniform(1.2, 2))))
    liver = (Tissue.FAT, Tissue.LIVER, Tissue.VESSEL_IN_LIVER, Tissue.LESION_IN_LIVER)
    open_to = np.isin(canvas.tissue[box], liver)
    canvas.paint((field < 1) & frame.cavity[box] & open_to, Tissue.GALLBLADDER, box)
