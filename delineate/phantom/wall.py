"""The outside of a body and its cavity: skin, fat, muscle, arms, legs and head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.canvas import Bools, Canvas, Floats
from delineate.phantom.tissue import Tissue

PELVIC_FLOOR_MM = -372.0
TRUNK_LOW_MM = -405.0


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Fields of one body on one canvas that every organ is placed by.

    Attributes
    ----------
    body, flesh
        Inside the skin; inside the fat under it.
    cavity
        Inside the ribs and the muscles of the belly.
    cavity_across, cavity_along
        Powers of x and of y whose weighted sum is below one inside the cavity.
    spine_y
        Where the centres of the vertebral bodies lie, at each sample's height.
    """

    body: Bools
    flesh: Bools
    cavity: Bools
    cavity_across: Floats
    cavity_along: Floats
    spine_y: Floats
    cavity_half_width_mm: float
    cavity_half_depth_mm: float
    squareness: float

    def grown_cavity(self, by_mm: float) -> Bools:
        """The cavity with its radii changed by some millimetres."""
        power = self.squareness
        across = (1 + by_mm / self.cavity_half_width_mm) ** -power
        along = (1 + by_mm / self.cavity_half_depth_mm) ** -power
        return np.asarray(self.cavity_across * across + self.cavity_along * along < 1)


def _step(value: Floats, low: float, high: float) -> Floats:
    place = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(place * place * (3 - 2 * place))


def paint_body(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> Frame:
    """Paint skin, fat, muscle and limbs, and the fat that fills the belly."""
    x, y, z = canvas.x, canvas.y, canvas.z
    power = anatomy.squareness
    waist = 1 - anatomy.waist * np.exp(-np.square((z + 130) / 70)) + 0.06 * _step(-z, 230, 330)
    width = waist * (1 - 0.72 * _step(z, 185, 290))
    depth = waist * (1 - 0.42 * _step(z, 130, 290))
    across = (np.abs(x) / width) ** power
    along = (np.abs(y) / depth) ** power

    def trunk(margin: float) -> Bools:
        a, b = anatomy.half_width_mm - margin, anatomy.half_depth_mm - margin
        inside = across * a**-power + along * b**-power < 1
        return np.asarray(inside & (z > TRUNK_LOW_MM) & (z < 290))

    limbs, limb_flesh = _limbs(canvas, anatomy)
    body = trunk(0) | limbs
    flesh = trunk(anatomy.fat_mm) | limb_flesh
    canvas.paint(body, Tissue.SKIN)
    canvas.paint(trunk(2.0) | limb_flesh, Tissue.FAT)
    canvas.paint(flesh, Tissue.MUSCLE)
    if anatomy.breasts > 0.5:
        _paint_breasts(canvas, anatomy, body, rng)

    half_width = anatomy.half_width_mm - anatomy.fat_mm - anatomy.wall_mm
    half_depth = anatomy.half_depth_mm - anatomy.fat_mm - anatomy.wall_mm
    narrowing = np.clip((z - 30) / 205, 0, 1) ** 1.7
    hips = 1 - 0.2 * _step(-z, 230, 350)
    cavity_across = (np.abs(x) / (waist * hips * (1 - 0.58 * narrowing) * half_width)) ** power
    cavity_along = np.asarray(
        (np.abs(y) / (waist * (1 - 0.4 * narrowing) * half_depth)) ** power, np.float32
    )
    cavity = (cavity_across + cavity_along < 1) & (z > PELVIC_FLOOR_MM)
    spine_y = (
        anatomy.half_depth_mm
        - anatomy.fat_mm
        - anatomy.spine_depth_mm
        - anatomy.lordosis_mm * np.cos((z + 170) / 110)
        - 0.32 * np.clip(z - 170, 0, 170)
    )
    canvas.paint(cavity & (z < 130) & (y < spine_y + 24), Tissue.FAT)
    frame = Frame(
        body=body,
        flesh=flesh,
        cavity=cavity,
        cavity_across=cavity_across,
        cavity_along=cavity_along,
        spine_y=spine_y.astype(np.float32),
        cavity_half_width_mm=half_width,
        cavity_half_depth_mm=half_depth,
        squareness=power,
    )
    _paint_muscles(canvas, anatomy, frame, rng)
    return frame


def _limbs(canvas: Canvas, anatomy: Anatomy) -> tuple[Bools, Bools]:
    x, y, z = canvas.x, canvas.y, canvas.z
    skin = np.zeros(x.shape, bool)
    flesh = np.zeros(x.shape, bool)
    fat = anatomy.fat_mm
    thigh = min(0.54 * anatomy.half_width_mm, 94.0)
    narrowed = thigh * (1 - 0.28 * np.clip((-z - 400) / 300, 0, 1))
    for side in (-1.0, 1.0):
        leg = np.hypot(x - side * (thigh + 3), y)
        low = z < -330
        skin |= low & (leg < narrowed)
        flesh |= low & (leg < narrowed - 0.6 * fat - 2)
    neck = np.hypot(x, y - 12) < 62
    skin |= neck & (z > 215) & (z < 390)
    flesh |= (np.hypot(x, y - 12) < 60 - 0.25 * fat) & (z > 215) & (z < 390)
    for shrink, target in ((0.0, skin), (4.0, flesh)):
        box, field = canvas.ellipsoid((0, -8, 440), (76 - shrink, 96 - shrink, 118 - shrink))
        target[box] |= field < 1
    shoulder = anatomy.half_width_mm * 0.86
    for side in (-1.0, 1.0):
        if anatomy.arms < 0.3:
            elbow = (side * (anatomy.half_width_mm + 34), 10.0, -120.0)
        elif anatomy.arms < 0.9:
            elbow = (side * 150.0, -15.0, 440.0)
        else:
            continue
        joint = (side * shoulder, 0.0, 195.0)
        for radius, target in ((46.0, skin), (46.0 - 0.35 * fat, flesh)):
            box, field = canvas.capsule(joint, elbow, radius)
            target[box] |= field < 1
        if anatomy.arms < 0.3:
            wrist = (side * (anatomy.half_width_mm + 40), -30.0, -360.0)
            for radius, target in ((34.0, skin), (34.0 - 0.25 * fat, flesh)):
                box, field = canvas.capsule(elbow, wrist, radius)
                target[box] |= field < 1
    return skin, flesh


def _paint_breasts(canvas: Canvas, anatomy: Anatomy, body: Bools, rng: np.random.Generator) -> None:
    size = float(rng.uniform(0.6, 1.2))
    for side in (-1.0, 1.0):
        centre = (side * 78.0, -anatomy.half_depth_mm * 0.86, 65.0)
        box, field = canvas.ellipsoid(centre, (60 * size, 48 * size, 55 * size))
        outside = ~body[box]
        canvas.paint((field < 1) & outside, Tissue.FAT, box)
        body[box] |= field < 1
        box, field = canvas.ellipsoid(centre, (34 * size, 38 * size, 30 * size))
        canvas.paint((field < 1) & (canvas.tissue[box] == Tissue.FAT), Tissue.GLAND, box)


def _paint_muscles(
    canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator
) -> None:
    x, y, z = canvas.x, canvas.y, canvas.z
    scale = anatomy.muscle_scale
    back = frame.flesh & (z < 225) & (z > -330)
    lumbar = (z < -60) & (z > -345)
    for side in (-1.0, 1.0):
        erector = np.square((x - side * 36) / (29 * scale)) + np.square(
            (y - frame.spine_y - 28) / (22 * scale)
        )
        canvas.paint((erector < 1) & back, Tissue.MUSCLE)
        centre = np.clip(40 - 0.17 * (z + 150), 26, 84)
        psoas = np.square((x - side * centre) / (19 * scale)) + np.square(
            (y - frame.spine_y + 4 + 0.12 * np.clip(-z - 220, 0, 120)) / (22 * scale)
        )
        canvas.paint((psoas < 1) & lumbar, Tissue.MUSCLE)
        box, field = canvas.ellipsoid((side * 38, 5, -350), (46, 60, 40))
        floor = (field > 0.75) & (field < 1) & (z[box] < -340)
        canvas.paint(floor & (canvas.tissue[box] == Tissue.FAT), Tissue.MUSCLE, box)
    # Marbling: fat between the bundles of the back and the seat.
    lean = float(rng.uniform(1.3, 2.6))
    marbled = (canvas.waves(rng, 14, 45) > lean) & (canvas.tissue == Tissue.MUSCLE)
    marbled &= ~frame.cavity & ((y > frame.spine_y) | (z < -300))
    canvas.paint(marbled, Tissue.FAT)
