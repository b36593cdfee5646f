"""The kidneys."""

from __future__ import annotations

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.canvas import Canvas
from delineate.phantom.tissue import Tissue
from delineate.phantom.wall import Frame

_MOVABLE = (
    *(Tissue.FAT, Tissue.MUSCLE, Tissue.BOWEL_WALL, Tissue.BOWEL_CONTENT, Tissue.FAECES),
    *(Tissue.BOWEL_GAS, Tissue.SMALL_BOWEL_CONTENT, Tissue.LIVER, Tissue.SPLEEN, Tissue.PANCREAS),
    *(Tissue.STOMACH_WALL, Tissue.STOMACH_CONTENT, Tissue.FOOD, Tissue.VESSEL_IN_LIVER),
)
"""What a kidney pushes aside."""

_BOWEL = (
    *(Tissue.BOWEL_WALL, Tissue.BOWEL_CONTENT, Tissue.SMALL_BOWEL_CONTENT),
    *(Tissue.FAECES, Tissue.BOWEL_GAS),
)


def paint_kidneys(canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> None:
    """Paint both kidneys in their fat, with renal sinus, collecting system and cysts."""
    pairs = (
        (1.0, Tissue.CORTEX_OF_LEFT_KIDNEY, Tissue.MEDULLA_OF_LEFT_KIDNEY, 12.0),
        (-1.0, Tissue.CORTEX_OF_RIGHT_KIDNEY, Tissue.MEDULLA_OF_RIGHT_KIDNEY, 0.0),
    )
    for side, cortex, medulla, lift in pairs:
        missing = rng.random() < 0.03
        wide = anatomy.kidney_width_mm * float(rng.uniform(0.9, 1.1))
        deep = anatomy.kidney_depth_mm * float(rng.uniform(0.9, 1.1))
        tall = anatomy.kidney_length_mm * float(rng.uniform(0.9, 1.1))
        centre = (
            side * float(rng.uniform(52, 78)),
            anatomy.back_mm - float(rng.uniform(0, 22)),
            anatomy.kidney_level_mm + lift + float(rng.uniform(-14, 14)),
        )
        lean, tip = float(rng.uniform(0.05, 0.3)), float(rng.uniform(-0.1, 0.3))
        box = canvas.box(
            (centre[0] - 60, centre[1] - 55, centre[2] - tall - 14),
            (centre[0] + 60, centre[1] + 55, centre[2] + tall + 14),
        )
        z = canvas.z[box] - centre[2]
        x = side * (canvas.x[box] - centre[0]) + lean * z
        y = canvas.y[box] - centre[1] + tip * z
        field = np.square(x / wide) + np.square(y / deep) + np.square(z / tall)
        hilum = np.square((x + 0.95 * wide) / (0.85 * wide))
        hilum += np.square((y + 8) / (0.6 * deep)) + np.square(z / (0.42 * tall))
        tissue = canvas.tissue[box]
        soft = np.isin(tissue, _MOVABLE)
        wrapped = float(rng.uniform(1.1, 1.9))
        canvas.paint((field < wrapped) & np.isin(tissue, _BOWEL), Tissue.FAT, box)
        if missing:
            continue
        inside = (field < 1) & soft & frame.cavity[box]
        canvas.paint(inside, cortex, box)
        canvas.paint(inside & (field < 0.5), medulla, box)
        canvas.paint(inside & (hilum < 1), Tissue.FAT, box)
        collecting = float(rng.uniform(0.05, 0.6))
        canvas.paint(inside & (hilum < collecting), Tissue.COLLECTING_SYSTEM, box)
        if rng.random() < 0.2:
            size = float(rng.uniform(5, 26))
            spot = (
                centre[0] + side * wide * float(rng.uniform(0.2, 1.0)),
                centre[1] + deep * float(rng.uniform(-0.8, 0.6)),
                centre[2] + tall * float(rng.uniform(-0.8, 0.8)),
            )
            ball, cyst = canvas.ellipsoid(spot, (size, size, size))
            over = np.isin(canvas.tissue[ball], (Tissue.FAT, cortex, medulla))
            canvas.paint((cyst < 1) & over & frame.cavity[ball], Tissue.KIDNEY_CYST, ball)
