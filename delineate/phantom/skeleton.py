"""Bones of the trunk above the pelvis: spine, ribs, breastbone and shoulders."""

from __future__ import annotations

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.bone import paint_ball, paint_shaft
from delineate.phantom.canvas import Canvas
from delineate.phantom.tissue import Tissue
from delineate.phantom.wall import Frame

ATLAS_MM = 388.0
"""Where the spine ends and the skull begins."""


def paint_ribs(canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> None:
    """Paint twelve sloping ribs in the wall of the chest, their cartilage and the breastbone."""
    x, y, z = canvas.x, canvas.y, canvas.z
    depth = frame.cavity_half_depth_mm
    gap = float(rng.uniform(0, 3.5))  # pleura, fat and muscle between rib and cavity
    outer = frame.grown_cavity(anatomy.rib_depth_mm + gap)
    shell = outer & ~frame.grown_cavity(gap) & frame.flesh
    front = np.clip(-y / depth, 0, 1) * np.clip(1 - np.abs(x) / 130, 0, 1)
    margin = anatomy.costal_margin_mm + 130 * front + 25 * np.clip(y / depth, 0, 1)
    pitch = float(rng.uniform(25, 32))
    place = (z - anatomy.rib_slope * y + 0.1 * np.abs(x)) / pitch + float(rng.uniform(0, 1))
    on_rib = (place % 1) < anatomy.rib_share
    chest = shell & (z > margin) & (z < 222)
    bony = (y > -0.55 * depth) | (z > 150)
    ribs = chest & on_rib & bony & ((y < 0) | (np.abs(x) > 34))
    canvas.paint(ribs, Tissue.RIB)
    dense = float(rng.uniform(0, 3))
    canvas.paint(
        ribs & ~frame.grown_cavity(anatomy.rib_depth_mm + gap - dense), Tissue.CORTICAL_BONE
    )
    canvas.paint(chest & on_rib & ~bony, Tissue.CARTILAGE)
    canvas.paint(chest & ~on_rib & frame.flesh & (rng.random() < 0.4), Tissue.MUSCLE)
    sternum = frame.grown_cavity(12) & ~frame.grown_cavity(1) & (y < 0)
    low = float(rng.uniform(20, 55))
    canvas.paint(
        sternum & (np.abs(x) < rng.uniform(14, 21)) & (z > low) & (z < 190), Tissue.SPONGY_BONE
    )


def paint_spine(canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> None:
    """Paint vertebrae with discs, arches and processes up to the skull, and the canal."""
    x, z = canvas.x, canvas.z
    back = canvas.y - frame.spine_y
    small = 1 - 0.35 * np.clip((z + 100) / 400, 0, 1)
    place = z + 0.5 * np.clip(z - 170, 0, None) + rng.uniform(0, 30)  # those of the neck are lower
    level = (place / anatomy.vertebra_height_mm) % 1
    upright = (z > -262) & (z < ATLAS_MM)
    marrow, cortex = Tissue.VERTEBRAL_MARROW, Tissue.VERTEBRAL_CORTEX
    body = np.square(x / (anatomy.vertebra_width_mm * small)) + np.square(
        back / (anatomy.vertebra_depth_mm * small)
    )
    disc = float(rng.uniform(0.76, 0.9))  # low discs are common in the old
    bony = level < disc
    canvas.paint((body < 1) & upright & bony, marrow)
    rim = (body > 0.8) | (level > disc - 0.06) | (level < 0.06)
    canvas.paint((body < 1) & upright & bony & rim, cortex)
    canvas.paint((body < 1) & upright & ~bony, Tissue.DISC)
    arch = np.square(x / 25) + np.square((back - 30 * small) / 9)
    arched = (level > 0.1) & (level < float(rng.uniform(0.6, 0.78)))
    canvas.paint((arch < 1) & upright & arched, marrow)
    canvas.paint((arch < 1) & (arch > 0.6) & upright & arched, cortex)
    pedicle = (np.abs(np.abs(x) - 13) < 4.5) & (back > 8) & (back < 28) & (level > 0.25)
    canvas.paint(pedicle & upright & (level < 0.6), marrow)
    wide = float(rng.uniform(36, 46))
    wing = (np.abs(x) < wide) & (np.abs(back - 22) < 4.5) & (level > 0.3) & (level < 0.52)
    canvas.paint(wing & upright & (z < 230), marrow)
    thin, reach = float(rng.uniform(2.5, 5)), float(rng.uniform(46, 58))
    process = (np.abs(x) < thin) & (back > 26) & (back < reach) & (level < 0.55) & upright
    canvas.paint(process & frame.flesh, cortex if rng.random() < 0.5 else marrow)
    canal = np.square(x / 9.5) + np.square((back - 21) / 8)
    canvas.paint((canal < 1) & (z > -310) & (z < ATLAS_MM), Tissue.CANAL)


def paint_shoulders(canvas: Canvas, anatomy: Anatomy, frame: Frame) -> None:
    """Paint shoulder blades, collar bones and upper arms."""
    for side in (-1.0, 1.0):
        shoulder = side * anatomy.half_width_mm * 0.86
        box, field = canvas.ellipsoid((side * 92, 0.7 * anatomy.half_depth_mm, 165), (44, 9, 62))
        plate = (field < 1) & ~frame.grown_cavity(anatomy.rib_depth_mm)[box] & frame.flesh[box]
        canvas.paint(plate, Tissue.CORTICAL_BONE, box)
        front = -0.42 * anatomy.half_depth_mm
        paint_shaft(canvas, (side * 16, front, 208), (shoulder * 0.9, -6, 232), 6, hollow=0.0)
        paint_ball(canvas, (shoulder, 0, 196), 24)
        if anatomy.arms < 0.3:
            elbow = (side * (anatomy.half_width_mm + 34), 10.0, -120.0)
            wrist = (side * (anatomy.half_width_mm + 40), -30.0, -360.0)
            paint_shaft(canvas, (shoulder, 0, 196), elbow, 11.5, hollow=0.45)
            paint_shaft(canvas, elbow, wrist, 7.5, hollow=0.3)
        elif anatomy.arms < 0.9:
            paint_shaft(canvas, (shoulder, 0, 196), (side * 150, -15, 440), 11.5, hollow=0.45)
