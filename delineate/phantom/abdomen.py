"""What lies below the diaphragm: liver, spleen, stomach, bowel, kidneys, bladder and vessels."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndimage

from delineate.phantom.anatomy import Anatomy
from delineate.phantom.canvas import Bools, Canvas, Floats, Point
from delineate.phantom.chest import Diaphragm
from delineate.phantom.tissue import Tissue
from delineate.phantom.wall import Frame


def paint_abdomen(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    rng: np.random.Generator,
) -> None:
    """Paint the belly; organs painted later lie in front of earlier ones where they would touch."""
    liver = _paint_liver(canvas, anatomy, frame, diaphragm, rng)
    solid = liver | _paint_spleen(canvas, anatomy, frame, diaphragm, liver, rng)
    solid |= _paint_stomach(canvas, anatomy, frame, diaphragm, solid, rng)
    _paint_bowel(canvas, anatomy, frame, solid, rng)
    _paint_pancreas_and_gallbladder(canvas, anatomy, frame, rng)
    _paint_kidneys(canvas, anatomy, frame, liver, rng)
    _paint_vessels(canvas, anatomy, frame, diaphragm, rng)
    _paint_pelvic_organs(canvas, anatomy, frame, rng)


def _rounded(mask: Bools, axes: tuple[np.ndarray, ...], sigma_mm: float) -> Bools:
    if not mask.size:
        return mask
    sigma = [sigma_mm / float(axis[1] - axis[0]) if len(axis) > 1 else 0.0 for axis in axes]
    return np.asarray(ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=2.5) > 0.5)


def _paint_liver(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    rng: np.random.Generator,
) -> Bools:
    box = canvas.box(
        (-220, -180, anatomy.liver_low_mm - 10), (anatomy.liver_left_mm + 20, 170, 130)
    )
    x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
    right, left = diaphragm.right[box], diaphragm.left[box]
    spine = frame.spine_y[box]
    gap = float(rng.choice([0.0, 1.0, 2.5, 5.0]))
    roof = np.where(x < 0, right, np.maximum(left, np.minimum(right, left + 20 - 0.4 * x))) - gap
    edge = frame.cavity_half_width_mm - 20
    floor = anatomy.liver_low_mm + 0.8 * anatomy.liver_slope * np.maximum(0, edge + x)
    behind = np.where(x > -18, float(rng.uniform(-22, 4)), spine + 14)
    mask = frame.grown_cavity(-gap)[box] & (z < roof) & (z > floor)
    mask &= (x < anatomy.liver_left_mm - 0.35 * np.maximum(0, -10 - z)) & (y < behind)
    mask &= ~((y > spine - 46) & (x > -44))
    thin = (x > 5) & (y < behind - rng.uniform(38, 60) + 0.35 * x)
    mask &= ~(thin & (rng.random() < 0.35))
    mask = _rounded(mask, tuple(a[s] for a, s in zip(canvas.axes, box, strict=True)), 7.0)
    mask &= frame.cavity[box] & (canvas.tissue[box] < Tissue.LUNG_LEFT)
    canvas.paint(mask, Tissue.LIVER, box)
    whole = np.zeros(canvas.tissue.shape, bool)
    whole[box] = mask
    hilum = (-22.0, anatomy.spine_depth_mm * 0.2 + 2, anatomy.liver_low_mm + 75)
    crown = (-24.0, 30.0, anatomy.diaphragm_mm + 5)
    for _ in range(9):
        start = hilum if rng.random() < 0.6 else crown
        stop = (
            float(rng.uniform(-120, 20)),
            float(rng.uniform(-60, 50)),
            start[2] + float(rng.uniform(-45, 40)),
        )
        tube, field = canvas.capsule(start, stop, float(rng.uniform(2.0, 5.0)))
        canvas.paint((field < 1) & whole[tube], Tissue.VESSEL_IN_LIVER, tube)
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 6))):
            size = float(rng.uniform(4, 24))
            spot = (
                float(rng.uniform(-130, 0)),
                float(rng.uniform(-60, 60)),
                float(rng.uniform(-80, 30)),
            )
            ball, field = canvas.ellipsoid(spot, (size, size * 0.9, size))
            canvas.paint((field < 1) & whole[ball], Tissue.LESION_IN_LIVER, ball)
    return whole


def _paint_spleen(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    liver: Bools,
    rng: np.random.Generator,
) -> Bools:
    radii = (anatomy.spleen_width_mm, anatomy.spleen_depth_mm, anatomy.spleen_height_mm)
    behind = float(rng.uniform(10, 52))
    lift = float(rng.uniform(30, 70))
    # The wall at this depth, so that the spleen lies against it.
    wall = frame.cavity_half_width_mm * max(
        0.2, 1 - (behind / frame.cavity_half_depth_mm) ** frame.squareness
    ) ** (1 / frame.squareness)
    centre = (
        wall - 0.8 * radii[0] - float(rng.uniform(-4, 6)),
        behind,
        anatomy.diaphragm_mm - lift,
    )
    box, field = canvas.ellipsoid(centre, radii)
    hollow = _shifted(canvas, box, centre, radii, rng)
    gap = float(rng.choice([0.0, 0.0, 1.5, 3.0]))
    mask = (field < 1) & (hollow > 0.6) & frame.grown_cavity(-gap)[box]
    mask &= (canvas.z[box] < diaphragm.left[box] - gap) & ~liver[box]
    mask &= canvas.tissue[box] < Tissue.LUNG_LEFT
    canvas.paint(mask, Tissue.SPLEEN, box)
    whole = np.zeros(canvas.tissue.shape, bool)
    whole[box] = mask
    return whole


def _shifted(
    canvas: Canvas,
    box: tuple[slice, slice, slice],
    centre: Point,
    radii: Point,
    rng: np.random.Generator,
) -> Floats:
    """The field of an ellipsoid moved towards the middle and the front: the splenic hilum."""
    dx = -radii[0] * float(rng.uniform(1.0, 1.5))
    dy = -radii[1] * float(rng.uniform(0.2, 0.6))
    field = np.square((canvas.x[box] - centre[0] - dx) / radii[0])
    field += np.square((canvas.y[box] - centre[1] - dy) / radii[1])
    field += np.square((canvas.z[box] - centre[2]) / radii[2])
    return np.asarray(field)


def _paint_stomach(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    solid: Bools,
    rng: np.random.Generator,
) -> Bools:
    fundus = np.array(
        [
            rng.uniform(42, 78),
            rng.uniform(-30, 10),
            anatomy.diaphragm_mm - rng.uniform(22, 55),
        ]
    )
    antrum = np.array(
        [rng.uniform(-32, 12), rng.uniform(-62, -32), fundus[2] - rng.uniform(40, 95)]
    )
    sag = np.array([rng.uniform(-10, 32), 0.0, -rng.uniform(10, 40)])
    shares = np.linspace(0, 1, 10)
    points = [tuple(fundus * (1 - t) + antrum * t + sag * np.sin(np.pi * t)) for t in shares]
    radii = [
        float(anatomy.stomach_fundus_mm * (1 - t) + anatomy.stomach_antrum_mm * t) for t in shares
    ]
    field = canvas.tube(points, radii)
    roof = canvas.z < diaphragm.left - 1.5
    mask = (field < 1) & frame.cavity & roof & ~solid & (canvas.tissue < Tissue.LUNG_LEFT)
    canvas.paint(mask, Tissue.STOMACH_WALL)
    wall = float(rng.uniform(2.5, 6)) / max(anatomy.stomach_fundus_mm, 12)
    inner = mask & (field < (1 - wall) ** 2)
    canvas.paint(inner, Tissue.STOMACH_CONTENT)
    if inner.any() and rng.random() < 0.75:
        surface = np.quantile(canvas.y[inner], float(rng.uniform(0.05, 0.65)))
        canvas.paint(inner & (canvas.y < surface), Tissue.STOMACH_GAS)
    return mask


def _colon_path(anatomy: Anatomy, frame: Frame, rng: np.random.Generator) -> list[Point]:
    wide, deep = frame.cavity_half_width_mm, frame.cavity_half_depth_mm
    back = anatomy.half_depth_mm - anatomy.fat_mm - anatomy.spine_depth_mm
    cross = float(rng.uniform(-130, -90))
    dip = float(rng.uniform(10, 75))
    spleen = cross + float(rng.uniform(10, 55))
    path = [
        (-wide + 34, back - 40, -265),
        (-wide + 27, back - 35, -200),
        (-wide + 30, back - 40, cross - 20),
        (-62, -deep + 32, cross - 22),
        (0, -deep + 24, cross - dip),
        (62, -deep + 30, cross),
        (wide - 26, back - 52, spleen),
        (wide - 25, back - 30, -170),
        (wide - 34, back - 32, -262),
        (42, -8, -282),
        (10, 22, -318),
        (0, back - 24, -335),
        (0, back - 14, -362),
        (0, back + 2, -398),
    ]
    return [tuple(np.add(p, rng.normal(0, 9, 3))) for p in path]


def _paint_bowel(
    canvas: Canvas, anatomy: Anatomy, frame: Frame, solid: Bools, rng: np.random.Generator
) -> None:
    free = frame.grown_cavity(-anatomy.visceral_fat_mm * 0.5) & ~solid
    free &= canvas.tissue == Tissue.FAT
    clumps = _clumps(canvas, rng)
    path = _colon_path(anatomy, frame, rng)
    base = float(rng.uniform(14, 25))
    sizes = [base * s for s in np.concatenate([rng.uniform(0.9, 1.3, 4), rng.uniform(0.6, 1.1, 9)])]
    field = canvas.tube(path, sizes) * (1 + 0.16 * np.sin(canvas.x / 5 + canvas.z / 6))
    rectum = (np.abs(canvas.x) < 30) & (canvas.z < -320)
    mask = (field < 1) & (free | (rectum & (canvas.tissue < Tissue.CORTICAL_BONE)))
    canvas.paint(mask, Tissue.BOWEL_WALL)
    inner = mask & (field < 0.72)
    canvas.paint(inner, Tissue.FAECES if rng.random() < 0.7 else Tissue.BOWEL_CONTENT)
    canvas.paint(inner & (clumps > float(rng.uniform(-0.8, 1.2))), Tissue.BOWEL_GAS)
    for _ in range(int(rng.integers(5, 12))):
        corner = np.array([rng.uniform(-85, 85), rng.uniform(-70, 30), rng.uniform(-310, -120)])
        points = [tuple(corner)]
        for _ in range(8):
            low = (-100, -frame.cavity_half_depth_mm + 14, -330)
            corner = np.clip(corner + rng.normal(0, 34, 3), low, (100, 35, -100))
            points.append(tuple(corner))
        field = np.asarray(canvas.tube(points, [float(r) for r in rng.uniform(8.5, 15, 8)]))
        free &= canvas.tissue == Tissue.FAT
        mask = (field < 1) & free
        canvas.paint(mask, Tissue.BOWEL_WALL)
        inner = mask & (field < 0.5)
        canvas.paint(inner, Tissue.BOWEL_CONTENT)
        if rng.random() < 0.35:
            canvas.paint(inner & (clumps > 0.8), Tissue.BOWEL_GAS)


def _clumps(canvas: Canvas, rng: np.random.Generator) -> Floats:
    """Uneven noise with a grain of about 25 mm that does not depend on the grid."""
    total = np.zeros(canvas.tissue.shape, np.float32)
    for _ in range(5):
        wave = rng.normal(0, 1, 3)
        wave *= 2 * np.pi / (float(rng.uniform(22, 60)) * np.linalg.norm(wave))
        phase = float(rng.uniform(0, 2 * np.pi))
        total += np.sin(wave[0] * canvas.x + wave[1] * canvas.y + wave[2] * canvas.z + phase)
    return total / np.float32(np.sqrt(2.5))


def _paint_pancreas_and_gallbladder(
    canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator
) -> None:
    behind = anatomy.half_depth_mm - anatomy.fat_mm - anatomy.spine_depth_mm
    level = anatomy.kidney_level_mm + float(rng.uniform(10, 50))
    points: list[Point] = [
        (-28, behind - 62, level - 18),
        (0, behind - 66, level),
        (48, behind - 46, level + 18),
        (82, behind - 30, level + 30),
    ]
    field = canvas.tube(points, [14, 10, 9])
    canvas.paint((field < 1) & (canvas.tissue == Tissue.FAT), Tissue.PANCREAS)
    if rng.random() < 0.8:
        size = anatomy.gallbladder_mm
        centre = (
            float(rng.uniform(-72, -40)),
            float(rng.uniform(-55, -22)),
            anatomy.liver_low_mm + float(rng.uniform(25, 65)),
        )
        box, bag = canvas.ellipsoid(centre, (size * 0.9, size, size * float(rng.uniform(1.2, 2))))
        open_to = np.isin(canvas.tissue[box], (Tissue.FAT, Tissue.LIVER, Tissue.BOWEL_CONTENT))
        canvas.paint((bag < 1) & frame.cavity[box] & open_to, Tissue.GALLBLADDER, box)


def _paint_kidneys(
    canvas: Canvas, anatomy: Anatomy, frame: Frame, liver: Bools, rng: np.random.Generator
) -> None:
    behind = anatomy.half_depth_mm - anatomy.fat_mm - anatomy.spine_depth_mm
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
            side * float(rng.uniform(54, 76)),
            behind - float(rng.uniform(2, 20)),
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
        soft = np.isin(
            tissue,
            (
                Tissue.FAT,
                Tissue.MUSCLE,
                Tissue.BOWEL_WALL,
                Tissue.BOWEL_CONTENT,
                Tissue.FAECES,
                Tissue.BOWEL_GAS,
                Tissue.LIVER,
                Tissue.SPLEEN,
            ),
        )
        wrapped = float(rng.uniform(1.1, 1.9))
        bowel = (tissue >= Tissue.BOWEL_WALL) & (tissue <= Tissue.BOWEL_GAS)
        canvas.paint((field < wrapped) & bowel, Tissue.FAT, box)
        if missing:
            continue
        inside = (field < 1) & soft & frame.cavity[box]
        canvas.paint(inside, cortex, box)
        canvas.paint(inside & (field < 0.5), medulla, box)
        canvas.paint(inside & (hilum < 1), Tissue.FAT, box)
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


def _paint_vessels(
    canvas: Canvas,
    anatomy: Anatomy,
    frame: Frame,
    diaphragm: Diaphragm,
    rng: np.random.Generator,
) -> None:
    behind = anatomy.half_depth_mm - anatomy.fat_mm - anatomy.spine_depth_mm

    def before(z: float, by: float) -> float:
        return behind - anatomy.lordosis_mm * float(np.cos((z + 170) / 110)) - by

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
        min(diaphragm.heart[0] - 44, -12.0),
        diaphragm.heart[1] + 30,
        diaphragm.heart[2] - 8,
    )
    vein: list[Point] = [
        (-14, before(fork, front + 5), fork - 12),
        (-21, before(-160, front + 7), -160),
        (-24, before(-80, front + 10), -80),
        (-27, before(-20, front + 16), -20),
        (-28, before(15, front + 30), anatomy.diaphragm_mm - 12),
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


def _paint_pelvic_organs(
    canvas: Canvas, anatomy: Anatomy, frame: Frame, rng: np.random.Generator
) -> None:
    size = anatomy.bladder_mm
    flat = float(rng.uniform(0.6, 1.0))
    low = -352.0
    centre = (float(rng.uniform(-6, 6)), float(rng.uniform(-34, -12)), low + size * 0.85 * flat)
    box, field = canvas.ellipsoid(centre, (size * 1.1, size * 0.9, size * flat))
    tissue = canvas.tissue[box]
    wall = (field < 1 + 6 / size) & (tissue != Tissue.CORTICAL_BONE)
    wall &= frame.cavity[box] & (np.abs(canvas.x[box]) < 68)
    canvas.paint(wall, Tissue.SOFT_ORGAN, box)
    canvas.paint(wall & (field < 1), Tissue.URINARY_BLADDER, box)
    if rng.random() < 0.5:
        organ, radii = (centre[0], 16.0, -330.0), (float(rng.uniform(20, 34)), 20.0, 26.0)
    else:
        organ, radii = (centre[0], -6.0, -372.0), (float(rng.uniform(17, 26)), 17.0, 18.0)
    box, field = canvas.ellipsoid(organ, radii)
    free = np.isin(canvas.tissue[box], (Tissue.FAT, Tissue.MUSCLE))
    canvas.paint((field < 1) & free, Tissue.SOFT_ORGAN, box)
