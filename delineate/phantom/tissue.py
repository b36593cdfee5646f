"""The tissues a phantom is made of, and the structure each belongs to."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray


class Tissue(IntEnum):
    """One value per material with an attenuation of its own."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    SKIN = 3
    GLAND = 4
    CORTICAL_BONE = 5
    SPONGY_BONE = 6
    CARTILAGE = 7
    DISC = 8
    CANAL = 9
    LUNG_LEFT = 10
    LUNG_RIGHT = 11
    VESSEL_IN_LEFT_LUNG = 12
    VESSEL_IN_RIGHT_LUNG = 13
    AIRWAY = 14
    EFFUSION = 15
    LIVER = 16
    VESSEL_IN_LIVER = 17
    LESION_IN_LIVER = 18
    GALLBLADDER = 19
    SPLEEN = 20
    CORTEX_OF_LEFT_KIDNEY = 21
    MEDULLA_OF_LEFT_KIDNEY = 22
    CORTEX_OF_RIGHT_KIDNEY = 23
    MEDULLA_OF_RIGHT_KIDNEY = 24
    KIDNEY_CYST = 25
    STOMACH_WALL = 26
    STOMACH_CONTENT = 27
    STOMACH_GAS = 28
    URINARY_BLADDER = 29
    AORTA = 30
    VENA_CAVA = 31
    HEART_MUSCLE = 32
    LEFT_HEART_BLOOD = 33
    RIGHT_HEART_BLOOD = 34
    OTHER_ARTERY = 35
    OTHER_VEIN = 36
    BOWEL_WALL = 37
    BOWEL_CONTENT = 38
    FAECES = 39
    BOWEL_GAS = 40
    PANCREAS = 41
    SOFT_ORGAN = 42
    OESOPHAGUS = 43
    BRAIN = 44
    TABLE = 45
    FOOD = 46
    SMALL_BOWEL_CONTENT = 47
    COLLECTING_SYSTEM = 48
    VERTEBRAL_CORTEX = 49
    VERTEBRAL_MARROW = 50
    RIB = 51
    TOOTH = 52


STRUCTURES: tuple[str, ...] = (
    "background",
    "lung_left",
    "lung_right",
    "liver",
    "spleen",
    "kidney_left",
    "kidney_right",
    "stomach",
    "urinary_bladder",
    "bones",
    "aorta",
    "heart",
    "vertebrae",
    "vena_cava",
    "bowel",
    "pancreas",
    "gallbladder",
)
"""Names of the structures; the place in the tuple is the label."""

_MEMBERS: MappingProxyType[str, tuple[Tissue, ...]] = MappingProxyType(
    {
        "lung_left": (Tissue.LUNG_LEFT, Tissue.VESSEL_IN_LEFT_LUNG),
        "lung_right": (Tissue.LUNG_RIGHT, Tissue.VESSEL_IN_RIGHT_LUNG),
        "liver": (Tissue.LIVER, Tissue.VESSEL_IN_LIVER, Tissue.LESION_IN_LIVER),
        "spleen": (Tissue.SPLEEN,),
        "kidney_left": (Tissue.CORTEX_OF_LEFT_KIDNEY, Tissue.MEDULLA_OF_LEFT_KIDNEY),
        "kidney_right": (Tissue.CORTEX_OF_RIGHT_KIDNEY, Tissue.MEDULLA_OF_RIGHT_KIDNEY),
        "stomach": (
            *(Tissue.STOMACH_WALL, Tissue.STOMACH_CONTENT, Tissue.STOMACH_GAS, Tissue.FOOD),
        ),
        "urinary_bladder": (Tissue.URINARY_BLADDER,),
        "bones": (Tissue.CORTICAL_BONE, Tissue.SPONGY_BONE, Tissue.RIB, Tissue.TOOTH),
        "aorta": (Tissue.AORTA,),
        "heart": (Tissue.HEART_MUSCLE, Tissue.LEFT_HEART_BLOOD, Tissue.RIGHT_HEART_BLOOD),
        "vertebrae": (Tissue.VERTEBRAL_CORTEX, Tissue.VERTEBRAL_MARROW),
        "vena_cava": (Tissue.VENA_CAVA,),
        "bowel": (
            *(Tissue.BOWEL_WALL, Tissue.BOWEL_CONTENT, Tissue.SMALL_BOWEL_CONTENT),
            *(Tissue.FAECES, Tissue.BOWEL_GAS),
        ),
        "pancreas": (Tissue.PANCREAS,),
        "gallbladder": (Tissue.GALLBLADDER,),
    }
)


def _structure_table() -> NDArray[np.uint8]:
    table = np.zeros(len(Tissue), np.uint8)
    for name, tissues in _MEMBERS.items():
        table[list(tissues)] = STRUCTURES.index(name)
    table.setflags(write=False)
    return table


STRUCTURE_OF_TISSUE: NDArray[np.uint8] = _structure_table()
"""Label for each tissue value, shape (number of tissues,)."""
