"""Bones of the trunk above the pelvis: spine, ribs, breastbone, shoulders and skull."""

from __future__ import annotations

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.bone import paint_ball, paint_shaft
from delineate.phantom.canvas import Canvas
from delineate.phantom.tissue import Tissue
from delineate.phantom.wall import Frame


def paint_ribs(canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> None:
    """Paint twelve sloping ribs in the wall of the chest, their cartilage and the breastbone."""
    x, y, z = canvas.x, canvas.y, canvas.z
    depth = frame.cavity_half_depth_mm
    shell = frame.grown_cavity(anatomy.rib_depth_mm) & ~frame.cavity & frame.flesh
    front = np.clip(-y / depth, 0, 1) * np.clip(1 - np.abs(x) / 130, 0, 1)
    margin = anatomy.costal_margin_mm + 130 * front + 25 * np.clip(y / depth, 0, 1)
    pitch = float(rng.uniform(25, 32))
    place = (z - anatomy.rib_slope * y + 0.1 * np.abs(x)) / pitch + float(rng.uniform(0, 1))
    on_rib = (place % 1) < anatomy.rib_share
    chest = shell & (z > margin) & (z < 222)
    bony = (y > -0.55 * depth) | (z > 150)
    ribs = chest & on_rib & bony & ((y < 0) | (np.abs(x) > 34))
    canvas.paint(ribs, Tissue.SPONGY_BONE)
    edge = (place % 1 < 0.1) | (place % 1 > anatomy.rib_share - 0.1)
    outer = ~frame.grown_cavity(anatomy.rib_depth_mm - 2.5)
    canvas.paint(ribs & (edge | outer), Tissue.CORTICAL_BONE)
    canvas.paint(chest & on_rib & ~bony, Tissue.CARTILAGE)
    canvas.paint(chest & ~on_rib & frame.flesh & (rng.random() < 0.4), Tissue.MUSCLE)
    sternum = frame.grown_cavity(12) & ~frame.grown_cavity(1) & (y < 0)
    low = float(rng.uniform(20, 55))
    canvas.paint(
        sternum & (np.abs(x) < rng.uniform(14, 21)) & (z > low) & (z < 190), Tissue.SPONGY_BONE
    )


def paint_spine(canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> None:
    """Paint vertebrae with discs, arches and processes, and the canal."""
    x, z = canvas.x, canvas.z
    back = canvas.y - frame.spine_y
    small = 1 - 0.35 * np.clip((z + 100) / 400, 0, 1)
    level = ((z + rng.uniform(0, 30)) / anatomy.vertebra_height_mm) % 1
    upright = (z > -262) & (z < 345)
    body = np.square(x / (anatomy.vertebra_width_mm * small)) + np.square(
        back / (anatomy.vertebra_depth_mm * small)
    )
    bony = level < 0.78
    canvas.paint((body < 1) & upright & bony, Tissue.SPONGY_BONE)
    rim = (body > 0.8) | (level > 0.72) | (level < 0.06)
    canvas.paint((body < 1) & upright & bony & rim, Tissue.CORTICAL_BONE)
    canvas.paint((body < 1) & upright & ~bony, Tissue.DISC)
    arch = np.square(x / 25) + np.square((back - 30 * small) / 9)
    arched = (level > 0.1) & (level < 0.66)
    canvas.paint((arch < 1) & upright & arched, Tissue.SPONGY_BONE)
    pedicle = (np.abs(np.abs(x) - 13) < 4.5) & (back > 8) & (back < 28) & (level > 0.25)
    canvas.paint(pedicle & upright & (level < 0.6), Tissue.SPONGY_BONE)
    wing = (np.abs(x) < 44) & (np.abs(back - 22) < 4.5) & (level > 0.3) & (level < 0.52)
    canvas.paint(wing & upright & (z < 230), Tissue.SPONGY_BONE)
    spine = (np.abs(x) < 4) & (back > 26) & (back < 54) & (level < 0.55) & upright
    canvas.paint(spine & frame.flesh, Tissue.CORTICAL_BONE)
    canal = np.square(x / 9.5) + np.square((back - 21) / 8)
    canvas.paint((canal < 1) & (z > -310) & (z < 345), Tissue.CANAL)


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


def paint_head(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint skull, brain, jaw and the air of nose and throat."""
    box, field = canvas.ellipsoid((0, 2, 465), (68, 84, 84))
    canvas.paint(field < 1, Tissue.CORTICAL_BONE, box)
    canvas.paint(field < float(rng.uniform(0.8, 0.86)), Tissue.BRAIN, box)
    box, field = canvas.ellipsoid((0, -62, 395), (48, 34, 52))
    canvas.paint((field < 1) & (field > 0.72), Tissue.CORTICAL_BONE, box)
    canvas.paint(field < 0.72, Tissue.MUSCLE, box)
    for side in (-1.0, 1.0):
        box, field = canvas.ellipsoid((side * 26, -66, 405), (13, 15, 17))
        canvas.paint(field < 1, Tissue.AIRWAY, box)
    box, field = canvas.ellipsoid((0, -50, 400), (11, 32, 20))
    canvas.paint(field < 1, Tissue.AIRWAY, box)
