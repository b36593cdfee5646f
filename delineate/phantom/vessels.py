"""Great vessels below the diaphragm."""

from __future__ import annotations

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.canvas import Canvas, Point
from delineate.phantom.diaphragm import Diaphragm
from delineate.phantom.tissue import Tissue


def paint_vessels(
    canvas: Canvas,
    anatomy: Anatomy,
    diaphragm: Diaphragm,
    heart: Point,
    rng: np.random.Generator,
) -> None:
    """Paint aorta, vena cava and their branches below the diaphragm, and the portal vein."""

    def before(z: float, by: float) -> float:
        return anatomy.spine_at(z) - by

    fork = float(rng.uniform(-232, -192))
    radius = anatomy.aorta_radius_mm
    front = anatomy.vertebra_depth_mm + 2
    bow = float(rng.uniform(0, 14))
    points: list[Point] = []
    for share in np.linspace(0, 1, 6):
        z = 20 * (1 - share) + fork * share
        points.append(
            (12 - 8 * share + bow * np.sin(np.pi * share), before(z, front + radius * 0.9), z)
        )
    canvas.paint(
        canvas.tube(points, [radius * s for s in (1, 0.95, 0.9, 0.85, 0.8)]) < 1, Tissue.AORTA
    )
    cava = float(rng.uniform(9, 13.5))
    atrium = (
        min(heart[0] - 44, -12.0),
        heart[1] + 30,
        heart[2] - 8,
    )
    vein: list[Point] = [
        (-14, before(fork, front + 5), fork - 12),
        (-21, before(-160, front + 7), -160),
        (-24, before(-80, front + 10), -80),
        (-27, before(-20, front + 16), -20),
        (-28, before(15, front + 30), diaphragm.at(-28, before(15, front + 30)) - 8),
        atrium,
    ]
    field = canvas.tube(vein, [cava * s for s in (0.9, 1, 1.05, 1.1, 1.1)])
    field = field * (1 + 0.5 * float(rng.random()))
    canvas.paint((field < 1) & (canvas.tissue != Tissue.AORTA), Tissue.VENA_CAVA)
    for side in (-1.0, 1.0):
        leg: list[Point] = [
            (side * 5, before(fork, front + 3), fork - 4),
            (side * 42, before(-265, front - 18), -275),
            (side * 74, -38, -330),
            (side * 86, -52, -372),
            (side * 92, -44, -520),
        ]
        for shift, width, tissue in (
            (0.0, 6.0, Tissue.OTHER_ARTERY),
            (11.0, 7.0, Tissue.OTHER_VEIN),
        ):
            moved: list[Point] = [(px - 0.3 * shift * side, py + shift, pz) for px, py, pz in leg]
            free = np.isin(canvas.tissue, (Tissue.FAT, Tissue.MUSCLE))
            canvas.paint((canvas.tube(moved, [width] * 4) < 1) & free, tissue)
    level = anatomy.kidney_level_mm
    portal: list[Point] = [
        (-24, before(level, 78), level + 55),
        (-4, before(level, 62), level + 28),
        (-4, before(level, 66), level - 60),
    ]
    spleen: list[Point] = [portal[1], (82, before(level, 26), level + 48)]
    for chain, width in ((portal, 6.5), (spleen, 4.5)):
        free = np.isin(canvas.tissue, (Tissue.FAT, Tissue.PANCREAS))
        canvas.paint((canvas.tube(chain, [width] * 2) < 1) & free, Tissue.OTHER_VEIN)
    for side in (-1.0, 1.0):
        chain = [(side * 8, before(level, 40), level + 8), (side * 52, before(level, 12), level)]
        free = canvas.tissue == Tissue.FAT
        canvas.paint((canvas.tube(chain, [4.5]) < 1) & free, Tissue.OTHER_VEIN)
