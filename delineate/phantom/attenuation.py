"""Hounsfield units of the tissues, for one scan.

Ranges follow textbook values for 120 kVp [1]_ and the enhancement curves of contrast-enhanced
abdominal CT [2]_; both are widened to cover tube voltage and beam hardening.

References
----------
.. [1] Schneider et al., "Correlation between CT numbers and tissue parameters", Phys. Med. Biol.
   45, 2000, doi:10.1088/0031-9155/45/2/314
.. [2] Bae, "Intravenous contrast medium administration and scan timing at CT", Radiology 256,
   2010, doi:10.1148/radiol.10090908
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from delineate.phantom.tissue import Tissue

_Range = tuple[float, float]


class Phase(IntEnum):
    """When the scan was taken after the contrast medium."""

    NONE = 0
    ARTERIAL = 1
    PORTAL = 2
    LATE = 3


PHASE_SHARES: tuple[float, ...] = (0.32, 0.18, 0.38, 0.12)

_FIXED: MappingProxyType[Tissue, _Range] = MappingProxyType(
    {
        Tissue.AIR: (-1000, -1000),
        Tissue.FAT: (-118, -82),
        Tissue.MUSCLE: (22, 70),
        Tissue.SKIN: (0, 60),
        Tissue.GLAND: (5, 50),
        Tissue.CARTILAGE: (60, 150),
        Tissue.DISC: (55, 110),
        Tissue.CANAL: (12, 40),
        Tissue.AIRWAY: (-1000, -970),
        Tissue.EFFUSION: (0, 25),
        Tissue.GALLBLADDER: (-2, 25),
        Tissue.KIDNEY_CYST: (-5, 18),
        Tissue.STOMACH_GAS: (-1000, -950),
        Tissue.BOWEL_GAS: (-1000, -700),
        Tissue.FAECES: (-220, 40),
        Tissue.FOOD: (-180, 10),
        Tissue.BRAIN: (28, 40),
        Tissue.TABLE: (-700, -150),
        Tissue.TOOTH: (900, 2600),
    }
)

_BY_PHASE: MappingProxyType[Tissue, tuple[_Range, _Range, _Range, _Range]] = MappingProxyType(
    {
        Tissue.LIVER: ((34, 70), (52, 95), (82, 138), (72, 112)),
        Tissue.SPLEEN: ((36, 60), (75, 160), (95, 148), (80, 118)),
        Tissue.CORTEX_OF_LEFT_KIDNEY: ((12, 44), (110, 240), (140, 225), (115, 205)),
        Tissue.AORTA: ((28, 52), (210, 430), (115, 195), (95, 145)),
        Tissue.VENA_CAVA: ((28, 52), (40, 115), (95, 180), (95, 140)),
        Tissue.HEART_MUSCLE: ((35, 58), (70, 125), (85, 130), (75, 110)),
        Tissue.LEFT_HEART_BLOOD: ((28, 52), (190, 400), (110, 185), (92, 140)),
        Tissue.RIGHT_HEART_BLOOD: ((28, 52), (110, 400), (105, 180), (92, 140)),
        Tissue.STOMACH_WALL: ((30, 52), (50, 95), (60, 112), (50, 92)),
        Tissue.PANCREAS: ((26, 50), (70, 125), (70, 112), (55, 90)),
        Tissue.SOFT_ORGAN: ((30, 52), (45, 95), (55, 115), (50, 100)),
        Tissue.OESOPHAGUS: ((25, 50), (40, 80), (45, 85), (40, 75)),
        Tissue.OTHER_VEIN: ((28, 52), (45, 220), (100, 185), (92, 140)),
    }
)


def draw_phase(rng: np.random.Generator) -> Phase:
    """Draw when the scan was taken; the portal phase is the commonest abdominal CT."""
    return Phase(int(rng.choice(len(PHASE_SHARES), p=PHASE_SHARES)))


def draw_attenuation(
    rng: np.random.Generator, phase: Phase, osteopenia: float = 0.3
) -> NDArray[np.float32]:
    """Draw the mean HU of every tissue.

    Parameters
    ----------
    rng
        Source of chance.
    phase
        Contrast phase of the scan.
    osteopenia
        From 0, dense bone, to 1, bone hardly brighter than contrasted organs.

    Returns
    -------
    ndarray of float32, shape (number of tissues,)
        Hounsfield units; arteries, veins and paired organs agree among themselves.
    """
    hu = np.zeros(len(Tissue), np.float32)
    for tissue, (low, high) in _FIXED.items():
        hu[tissue] = rng.uniform(low, high)
    for tissue, by_phase in _BY_PHASE.items():
        hu[tissue] = rng.uniform(*by_phase[phase])
    _draw_bones(hu, rng, osteopenia)
    lung = rng.uniform(-965, -680)
    hu[Tissue.LUNG_LEFT] = lung + rng.uniform(-15, 15)
    hu[Tissue.LUNG_RIGHT] = lung + rng.uniform(-15, 15)
    blood = {Phase.NONE: (25, 55), Phase.ARTERIAL: (60, 300), Phase.PORTAL: (80, 170)}
    vessel = rng.uniform(*blood.get(phase, (70, 130)))
    hu[[Tissue.VESSEL_IN_LEFT_LUNG, Tissue.VESSEL_IN_RIGHT_LUNG]] = vessel - 40
    rise = (0.0, 10.0, 55.0, 25.0)[phase]
    hu[Tissue.VESSEL_IN_LIVER] = hu[Tissue.LIVER] + rng.uniform(-14, 6) + rise
    hu[Tissue.LESION_IN_LIVER] = hu[Tissue.LIVER] - rng.uniform(10, 70)
    cortex = hu[Tissue.CORTEX_OF_LEFT_KIDNEY]
    hu[Tissue.CORTEX_OF_RIGHT_KIDNEY] = cortex + rng.uniform(-8, 8)
    share = (1.0, rng.uniform(0.3, 0.7), rng.uniform(0.7, 1.1), rng.uniform(0.9, 1.4))[phase]
    medulla = cortex * share
    hu[[Tissue.MEDULLA_OF_LEFT_KIDNEY, Tissue.MEDULLA_OF_RIGHT_KIDNEY]] = medulla
    hu[Tissue.OTHER_ARTERY] = hu[Tissue.AORTA] + rng.uniform(-20, 10)
    hu[Tissue.BOWEL_WALL] = hu[Tissue.STOMACH_WALL] + rng.uniform(-10, 12)
    hu[Tissue.STOMACH_CONTENT] = _content(rng)
    hu[Tissue.BOWEL_CONTENT] = _content(rng)
    hu[Tissue.SMALL_BOWEL_CONTENT] = _content(rng)
    excreted = phase is Phase.LATE and rng.random() < 0.6
    hu[Tissue.URINARY_BLADDER] = rng.uniform(90, 500) if excreted else rng.uniform(-6, 26)
    hu[Tissue.COLLECTING_SYSTEM] = rng.uniform(200, 900) if excreted else rng.uniform(-6, 26)
    return hu


def _draw_bones(hu: NDArray[np.float32], rng: np.random.Generator, osteopenia: float) -> None:
    """Marrow is fatty in some and cortex thin: both are partial volumes at 3 mm."""
    marrow = rng.uniform(90, 320) - 85 * osteopenia
    hu[Tissue.SPONGY_BONE] = marrow + rng.uniform(-60, 25)
    hu[Tissue.VERTEBRAL_MARROW] = marrow
    cortex = marrow + rng.uniform(90, 620)
    hu[Tissue.CORTICAL_BONE] = cortex
    hu[Tissue.VERTEBRAL_CORTEX] = marrow + rng.uniform(40, 260)
    hu[Tissue.RIB] = marrow + rng.uniform(0, 260)


def _content(rng: np.random.Generator) -> float:
    """Water or food mostly, positive oral contrast medium sometimes, fatty food seldom."""
    kind = rng.random()
    if kind < 0.65:
        return float(rng.uniform(0, 52))
    return float(rng.uniform(110, 450) if kind < 0.88 else rng.uniform(-60, 0))
