"""Labelled images that are quickly learned: balls in noise, and discs on noisy pictures."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from delineate.segmentation.training.plan import Options

Array = NDArray[np.generic]

SMALL = Options(
    steps=60, channels=(8, 16, 32), patch=(24, 24, 24), learning_rate=0.01, validation=0.34
)
FLAT = Options(
    steps=90, channels=(8, 16, 32), patch=(48, 48), learning_rate=0.01, batch=4, validation=0.25
)


def balls(seed: int, shape: tuple[int, int, int] = (24, 28, 32)) -> tuple[Array, Array]:
    """HU int16 and labels uint8, ``(x, y, z)``: a large ball (1) and a small bright one (2)."""
    rng = np.random.default_rng(seed)
    hu, labels = rng.normal(0, 60, shape), np.zeros(shape, np.uint8)
    places = np.indices(shape)
    for label, (radius, bright) in enumerate(((6, 150), (4, 400)), start=1):
        centre = [rng.integers(radius, n - radius) for n in shape]
        away = sum((axis - c) ** 2 for axis, c in zip(places, centre, strict=True))
        hu[away < radius**2] += bright
        labels[away < radius**2] = label
    hu[0] = -1000  # some air, or nobody takes it for a CT
    return hu.astype(np.int16), labels


def discs(seed: int, shape: tuple[int, int] = (64, 80)) -> tuple[Array, Array]:
    """Colours uint8 ``(row, column, 3)`` and a mask of 0 and 255."""
    rng = np.random.default_rng(seed)
    colours, mask = rng.normal(90, 20, (*shape, 3)), np.zeros(shape, np.uint8)
    rows, columns = np.indices(shape)
    for _ in range(2):
        row, column = (rng.integers(8, n - 8) for n in shape)
        there = (rows - row) ** 2 + (columns - column) ** 2 < 49
        colours[there] += [70, 40, 0]
        mask[there] = 255
    return colours.clip(0, 255).astype(np.uint8), mask


def nifti(array: Array, path: Path, affine: Array | None = None) -> Path:
    """Write an array ``(x, y, z)``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = np.diag([-2.0, -2.0, 2.5, 1.0]) if affine is None else affine
    nibabel.save(nibabel.Nifti1Image(array, place), path)
    return path


def png(array: Array, path: Path) -> Path:
    """Write a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(array).save(path)
    return path


def balls_folder(folder: Path, count: int = 6) -> Path:
    """A plain folder of volumes."""
    for seed in range(count):
        hu, labels = balls(seed)
        nifti(hu, folder / "images" / f"doe_{seed}.nii.gz")
        nifti(labels, folder / "labels" / f"doe_{seed}.nii.gz")
    (folder / "labels.json").write_text(json.dumps({"1": "ball", "2": "stone"}))
    return folder


def discs_folder(folder: Path, count: int = 8) -> Path:
    """A plain folder of pictures."""
    for seed in range(count):
        colours, mask = discs(seed)
        png(colours, folder / "images" / f"plate_{seed}.png")
        png(mask, folder / "labels" / f"plate_{seed}.png")
    (folder / "labels.json").write_text(json.dumps({"disc": 255}))
    return folder


def decathlon_folder(folder: Path, count: int = 3) -> Path:
    """As the Medical Segmentation Decathlon has it."""
    entries = []
    for seed in range(count):
        hu, labels = balls(seed)
        name = f"ball_{seed:03d}.nii.gz"
        nifti(hu, folder / "imagesTr" / name)
        nifti(labels, folder / "labelsTr" / name)
        entries.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    content = {
        "name": "Balls",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "ball", "2": "stone"},
        "numTraining": count,
        "training": entries,
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def nnunet_folder(folder: Path, count: int = 3) -> Path:
    """As nnU-Net has it: two channels, an ignored label."""
    for seed in range(count):
        hu, labels = balls(seed)
        labels[:, :2] = 3
        for channel in range(2):
            nifti(hu + channel * 100, folder / "imagesTr" / f"b_{seed}_{channel:04d}.nii.gz")
        nifti(labels, folder / "labelsTr" / f"b_{seed}.nii.gz")
    content = {
        "channel_names": {"0": "CT", "1": "T1"},
        "labels": {"background": 0, "ball": 1, "stone": 2, "ignore": 3},
        "numTraining": count,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def nnunet_pictures(folder: Path, count: int = 3) -> Path:
    """As nnU-Net has pictures: three channels in one file."""
    for seed in range(count):
        colours, mask = discs(seed)
        png(colours, folder / "imagesTr" / f"p_{seed}_0000.png")
        png(mask // 255, folder / "labelsTr" / f"p_{seed}.png")
    content = {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background": 0, "disc": 1},
        "numTraining": count,
        "file_ending": ".png",
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder
