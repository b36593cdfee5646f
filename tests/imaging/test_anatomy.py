"""The table of anatomy: names, codes and colours, and the page that shows it.

``python -m tests.imaging.test_anatomy`` writes docs/labels.md anew.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from delineate.imaging import Category, Code, anatomy
from delineate.imaging.anatomy import entries
from delineate.segmentation.structures import ORGANS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "labels.md"
CATEGORIES = [
    entry.category(side)
    for entry in entries()
    for side in ((None, "left", "right") if entry.paired else (None,))
]

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", IEEE TVCG 15(6), 2009, doi:10.1109/TVCG.2009.113, severity 1.0, on linear RGB.
BLINDNESS = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize(
    "entry", [entry for entry in entries() if entry.code], ids=lambda entry: entry.name
)
def test_every_code_is_one_of_dicoms_body_structures(entry: anatomy.Entry) -> None:
    from pydicom.sr._concepts_dict import concepts

    assert entry.code is not None
    assert entry.code.scheme == "SCT"
    known = [
        (meaning, bool(groups))
        for found in concepts["SCT"].values()
        for value, (meaning, groups) in found.items()
        if value == entry.code.value
    ]

    assert (entry.code.meaning, True) in known  # some context group of DICOM lists it so
    assert not any(re.search(r"\((?!body structure)[a-z ]+\)$", meaning) for meaning, _ in known)


def test_highdicom_takes_every_code() -> None:
    from highdicom.sr import CodedConcept

    for entry in entries():
        if entry.code:
            concept = CodedConcept(entry.code.value, entry.code.scheme, entry.code.meaning)
            assert concept.meaning == entry.code.meaning


def test_a_side_is_said_once() -> None:
    for entry in entries():
        if entry.paired and entry.code:
            assert not re.search(r"\b(left|right)\b", entry.code.meaning.lower())
        assert not (entry.paired and re.search("left|right", entry.name))


def test_codes_and_names_are_unique_and_lead_back() -> None:
    for category in CATEGORIES:
        assert anatomy.category(category.name) == category
        if category.code:
            assert anatomy.by_code(category.code, category.laterality) == category


@given(
    st.sampled_from(CATEGORIES),
    st.sampled_from(("_", " ", "-", ".", ", ")),
    st.sampled_from((str.lower, str.upper, str.title)),
    st.sampled_from(("l", "lt", "left")),
    st.randoms(use_true_random=False),
)
def test_a_name_is_known_in_any_spelling(
    category: Category, separator: str, case: object, left: str, random: object
) -> None:
    words = category.name.split("_")
    random.shuffle(words)  # type: ignore[attr-defined]
    words = [left if word == "left" else word for word in words]
    kept = [word if re.search(r"\d", word) else case(word) for word in words]  # type: ignore[operator]

    assert anatomy.category(separator.join(kept)) == category


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        ("Kidney_L", "kidney_left"),
        ("left kidney", "kidney_left"),
        ("KIDNEY LEFT", "kidney_left"),
        ("LKidney", "kidney_left"),
        ("SpinalCord", "spinal_cord"),
        ("SPINALCORD", "spinal_cord"),
        ("Bladder", "urinary_bladder"),
        ("Glnd_Adrenal_R", "adrenal_gland_right"),
        ("Glnd_Submand_L", "submandibular_gland_left"),
        ("Bone_Mandible", "mandible"),
        ("A_Aorta", "aorta"),
        ("V_Venacava_S", "superior_vena_cava"),
        ("Bowel_Small", "small_bowel"),
        ("OpticNrv_R", "optic_nerve_right"),
        ("Rib01_L", "rib_1_left"),
        ("rib_left_1", "rib_1_left"),
        ("VB_L5", "vertebrae_L5"),
        ("Atrium_L", "heart_atrium_left"),
        ("Lungs", "lung"),
        ("clavicula_right", "clavicle_right"),
    ],
)
def test_names_of_tg_263_and_other_tools_are_known(spelt: str, name: str) -> None:
    category = anatomy.category(spelt)

    assert category is not None
    assert category.name == name


@pytest.mark.parametrize(
    "name", ["", "left", "left liver", "left right kidney", "thing 3", "T1", "L5", "GTV_Mass_CT"]
)
def test_what_is_not_known_is_not_guessed(name: str) -> None:
    assert anatomy.category(name) is None


def test_classes_that_people_exchange_are_known(shared_data: Path) -> None:
    names: set[str] = set()
    for file in (shared_data / "ct_labelled" / "abdomen_3mm").glob("labels_*.json"):
        names |= set(json.loads(file.read_text()).values())
    masks = (shared_data / "masks_two_raters").rglob("*.nrrd")
    names |= {file.stem for file in masks}

    assert len(names) > 130
    assert not [name for name in names if anatomy.category(name) is None]


def test_older_codes_are_known_and_unknown_ones_are_not() -> None:
    liver = anatomy.by_code(Code("T-62000", "SRT", "Liver"))

    assert liver == anatomy.category("liver")
    assert anatomy.by_code(Code("10200004", "99LOCAL", "Liver")) is None
    assert anatomy.by_code(Code("1", "SCT", "?")) is None
    assert anatomy.by_code(Code("1", "SRT", "?")) is None
    assert anatomy.by_code(Code("10200004", "SCT", "Liver"), "left") is None


def seen(colours: NDArray[np.float64], blindness: str) -> NDArray[np.float64]:
    """CIELAB of colours ``(n, 3)``, 0 to 255, as somebody sees them."""
    from skimage.color import rgb2lab

    part = colours / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(BLINDNESS[blindness]).T, 0, 1)
    part = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(rgb2lab(part), np.float64)


@pytest.mark.parametrize(
    ("blindness", "least"),
    [("none", 20.0), ("protanopia", 9.0), ("deuteranopia", 9.0), ("tritanopia", 8.0)],
)
def test_colours_of_the_organs_are_told_apart_by_everybody(blindness: str, least: float) -> None:
    """CIEDE2000 of 2.3 is just noticeable."""
    from skimage.color import deltaE_ciede2000

    shown = [organ.category for organ in ORGANS if not organ.auxiliary]
    colours = seen(np.array([category.colour for category in shown], float), blindness)
    for i, j in itertools.combinations(range(len(shown)), 2):
        distance = float(deltaE_ciede2000(colours[i], colours[j]))
        assert distance >= least, (shown[i].name, shown[j].name, distance)


def test_sides_are_told_apart() -> None:
    from skimage.color import deltaE_ciede2000

    for entry in entries():
        if entry.paired:
            left, right = seen(np.array(entry.colours, float), "none")
            assert deltaE_ciede2000(left, right) >= 11, entry.name


def test_the_page_of_labels_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def page() -> str:
    lines = [
        "# Labels: names, codes, colours",
        "",
        "`delineate.imaging.anatomy` knows what anatomy is called, coded and coloured. Detectors "
        "take their categories from it, and files whose labels have names but no codes get them "
        "by name. This page is made from the same table.",
        "",
        "- `anatomy.category(name)` takes any spelling: `kidney_left`, `left kidney`, "
        "`Kidney_L`, `KIDNEY LT` are one. A paired organ is `name_left` and `name_right`. What "
        "is not in the table is `None`, never the nearest guess.",
        "- `anatomy.by_code(code, side)` goes the other way; SNOMED's older `SRT` spelling is "
        "understood.",
        "- **Codes** are SNOMED CT concepts with DICOM's meanings (PS3.16), each checked against "
        "the dictionary of pydicom; what no context group of DICOM lists has none. The side "
        "stands beside the code (7771000 Left, 24028007 Right), but for the few that DICOM only "
        "has with their side, such as the left atrium.",
        "- **Colours** of the organs that `organs.ct` finds are at least 20 apart by CIEDE2000, "
        "and 8 for people who see no red, no green or no blue. The others follow 3D Slicer's "
        "GenericAnatomyColors, right ones darker than left ones.",
        "",
        "| name | sides | SNOMED CT | meaning | colour | also |",
        "|---|---|---|---|---|---|",
    ]
    for entry in entries():
        code, meaning = (entry.code.value, entry.code.meaning) if entry.code else ("", "")
        sides = "left, right" if entry.paired else ""
        colours = [entry.category(side).hex_colour for side in ("left", "right")]
        colour = " ".join(f"`{one}`" for one in dict.fromkeys(colours))
        also = ", ".join(entry.also)
        lines.append(f"| {entry.name} | {sides} | {code} | {meaning} | {colour} | {also} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
