"""Colon and small bowel."""

from __future__ import annotations

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.canvas import Bools, Canvas, Point
from delineate.phantom.tissue import Tissue
from delineate.phantom.wall import Frame


def paint_bowel(canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> None:
    """Paint the colon as a frame, and small bowel into what it leaves free."""
    _paint_colon(canvas, anatomy, frame, rng)
    if rng.random() < 0.7:
        _paint_mesentery(canvas, frame, rng)
    free = frame.grown_cavity(-anatomy.visceral_fat_mm * 0.7) & (canvas.tissue == Tissue.FAT)
    free &= (canvas.y < frame.spine_y - 26) | (np.abs(canvas.x) > 62)
    if rng.random() < 0.65:
        _paint_packed_loops(canvas, frame, free, rng)
    else:
        _paint_loose_loops(canvas, frame, free, rng)


def _colon_path(anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> list[Point]:
    wide, deep = frame.cavity_half_width_mm, frame.cavity_half_depth_mm
    back = anatomy.back_mm
    cross = float(rng.uniform(-140, -85))
    dip = float(rng.uniform(5, 90))
    spleen = min(cross + float(rng.uniform(10, 90)), -22.0)
    path = [
        (-wide + 38, back - 44, -265),
        (-wide + 30, back - 38, -200),
        (-wide + 32, back - 42, cross - 20),
        (-62, -deep + 32, cross - 22),
        (0, -deep + 24, cross - dip),
        (62, -deep + 30, cross),
        (wide - 28, back - 60, spleen),
        (wide - 25, back - 30, -170),
        (wide - 34, back - 32, -262),
        (42, -8, -282),
        (10 + float(rng.uniform(-25, 25)), 16 + float(rng.uniform(-20, 10)), -310),
        (0, back - 24, -335),
        (0, back - 12, -362),
        (0, back + 2, -398),
    ]
    return [tuple(np.add(p, rng.normal(0, 10, 3))) for p in path]


def _paint_colon(canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> None:
    path = _colon_path(anatomy, frame, rng)
    base = float(rng.uniform(13, 27))
    right, left = rng.uniform(0.85, 1.3, 4), rng.uniform(0.5, 1.1, 9)
    sizes = [base * float(share) for share in np.concatenate([right, left])]
    pouches = float(rng.uniform(0.08, 0.3))
    field = canvas.tube(path, sizes)
    field *= np.asarray(1 + pouches * np.sin(canvas.x / 5 + canvas.z / 6), np.float32)
    free = frame.grown_cavity(-anatomy.visceral_fat_mm * 0.4) & (canvas.tissue == Tissue.FAT)
    rectum = (np.abs(canvas.x) < 30) & (canvas.z < -320) & (canvas.z > -396)
    rectum &= np.isin(canvas.tissue, (Tissue.FAT, Tissue.MUSCLE)) & frame.flesh
    mask = (field < 1) & (free | rectum)
    canvas.paint(mask, Tissue.BOWEL_WALL)
    inner = mask & (field < 0.75)
    canvas.paint(inner, Tissue.FAECES if rng.random() < 0.7 else Tissue.BOWEL_CONTENT)
    gas = inner & (canvas.waves(rng, 22, 70) > float(rng.uniform(-0.8, 1.4)))
    if rng.random() < 0.5:  # as far as it floats
        gas &= canvas.y < frame.spine_y - 60
    canvas.paint(gas, Tissue.BOWEL_GAS)


def _paint_mesentery(canvas: Canvas, frame: Frame, rng: np.random.Generator) -> None:
    """Thin vessels through the fat of the belly, from its root before the spine outwards."""
    root = np.array([8.0, float(frame.cavity_half_depth_mm) * 0.1, -120.0])
    for _ in range(int(rng.integers(12, 36))):
        fork = root + rng.normal(0, (30, 18, 45))
        tip = fork + rng.normal(0, (32, 26, 42))
        kind = Tissue.OTHER_VEIN if rng.random() < 0.6 else Tissue.OTHER_ARTERY
        for start, stop, radius in ((root, fork, 3.2), (fork, tip, float(rng.uniform(1.2, 2.4)))):
            box, field = canvas.capsule(tuple(start), tuple(stop), radius)
            fat = (canvas.tissue[box] == Tissue.FAT) & frame.cavity[box]
            canvas.paint((field < 1) & fat, kind, box)


def _paint_packed_loops(
    canvas: Canvas, frame: Frame, free: Bools, rng: np.random.Generator
) -> None:
    """Fill the middle of the belly with touching loops.

    Loops are where a triply periodic surface (Schoen's gyroid) in bent space is far from zero;
    that surface divides space into two interwoven tubes.
    """
    top, low = float(rng.uniform(-130, -35)), float(rng.uniform(-345, -300))
    edge = np.float32(16) * canvas.waves(rng, 50, 110)
    where = free & (canvas.z + edge < top) & (canvas.z > low)
    where &= np.abs(canvas.x) + edge < float(rng.uniform(85, 150))
    where &= canvas.y - edge < float(rng.uniform(0, 35))
    pitch = float(rng.uniform(58, 96)) / (2 * np.pi)
    turns = np.linalg.qr(rng.normal(size=(3, 3)))[0].astype(np.float32) / np.float32(pitch)
    wobble = canvas.waves(rng, 90, 200)
    u, v, w = (
        row[0] * canvas.x + row[1] * canvas.y + row[2] * canvas.z + shift + np.float32(0.9) * wobble
        for row, shift in zip(turns, rng.uniform(0, 6.28, 3).astype(np.float32), strict=True)
    )
    field = np.sin(u) * np.cos(v) + np.sin(v) * np.cos(w) + np.sin(w) * np.cos(u)
    thin = float(rng.uniform(0.08, 0.5))
    loops = where & (np.abs(field) > thin)
    canvas.paint(loops, Tissue.BOWEL_WALL)
    inner = loops & (np.abs(field) > thin + float(rng.uniform(0.1, 0.3)))
    canvas.paint(inner & (field > 0), Tissue.BOWEL_CONTENT)
    canvas.paint(inner & (field < 0), Tissue.SMALL_BOWEL_CONTENT)
    if rng.random() < 0.5:
        gas = canvas.waves(rng, 18, 45) > float(rng.uniform(0.6, 1.6))
        canvas.paint(inner & gas, Tissue.BOWEL_GAS)


def _paint_loose_loops(canvas: Canvas, frame: Frame, free: Bools, rng: np.random.Generator) -> None:
    gas = canvas.waves(rng, 22, 60) > 0.8
    for _ in range(int(rng.integers(7, 16))):
        corner = np.array([rng.uniform(-85, 85), rng.uniform(-70, 30), rng.uniform(-310, -120)])
        points = [tuple(corner)]
        for _ in range(8):
            low = (-100, -frame.cavity_half_depth_mm + 14, -330)
            corner = np.clip(corner + rng.normal(0, 34, 3), low, (100, 35, -100))
            points.append(tuple(corner))
        field = np.asarray(canvas.tube(points, [float(r) for r in rng.uniform(8.5, 16, 8)]))
        mask = (field < 1) & free
        free = free & ~mask
        canvas.paint(mask, Tissue.BOWEL_WALL)
        inner = mask & (field < 0.5)
        kind = Tissue.BOWEL_CONTENT if rng.random() < 0.5 else Tissue.SMALL_BOWEL_CONTENT
        canvas.paint(inner, kind)
        if rng.random() < 0.35:
            canvas.paint(inner & gas, Tissue.BOWEL_GAS)
