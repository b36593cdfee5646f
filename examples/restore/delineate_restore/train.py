"""Train and measure: ``python -m delineate_restore.train``.

Writes ``weights.safetensors`` and ``card.json`` into the package. The same machine gives the same
bytes. ``--measure FILE ...`` measures pictures or volumes beside bicubic interpolation instead.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import delineate
from delineate.plugins import Monitor
from delineate_restore.pictures import coarser, leaves

__all__ = ["compared", "fit", "train"]

_TRAIN, _TEST = 21, 22  # seeds
_SIZE, _BATCH, _PATCH = 128, 16, 48


def fit(count: int, steps: int) -> torch.nn.Module:
    """A network trained on so many pictures of leaves, turned and mirrored at random."""
    from delineate_restore.restorer import bicubic, network

    torch.manual_seed(0)
    torch.set_num_threads(1)  # the order of sums, and so the bytes, depend on it
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(_TRAIN)
    pictures = [leaves(_SIZE, rng) for _ in range(count)]
    model = network()
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(steps):
        fine = np.stack([_patch(pictures[i], rng) for i in rng.integers(count, size=_BATCH)])
        coarse = torch.from_numpy(coarser(fine))
        loss = torch.nn.functional.l1_loss(bicubic(coarse) + model(coarse), torch.from_numpy(fine))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def _patch(picture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    row, column = 2 * rng.integers((_SIZE - _PATCH) // 2, size=2)
    patch = np.rot90(picture[row : row + _PATCH, column : column + _PATCH], rng.integers(4))
    return np.ascontiguousarray(patch[:, ::-1] if rng.integers(2) else patch)[None]


def compared(images: Iterable[delineate.Image]) -> dict[str, float]:
    """Mean PSNR (dB) and SSIM of network and bicubic on images made coarser by means of 2 x 2.

    A slice at a time; colours as luminance; relative to each image's own range.
    """
    from delineate_restore import RestoreOptions
    from delineate_restore.restorer import Doubler

    doubler, monitor = Doubler(), Monitor()
    figures: dict[str, list[float]] = {}
    for image in images:
        grey = image.array.astype(np.float32)
        grey = grey[..., :3] @ np.float32([0.299, 0.587, 0.114]) if image.channels else grey
        for fine in grey[:, : grey.shape[1] // 2 * 2, : grey.shape[2] // 2 * 2]:
            span = float(np.ptp(fine)) or 1.0
            coarse = coarser(fine)[None]
            grid = delineate.Grid.regular(coarse.shape, unit="px")
            for method in ("network", "bicubic"):
                options = RestoreOptions(method=method)
                seen = delineate.Image(coarse, grid)
                found = doubler.detect_monitored(seen, options, monitor).output.array[0]
                psnr = peak_signal_noise_ratio(fine, found, data_range=span)
                figures.setdefault(f"psnr_{method}", []).append(psnr)
                ssim = structural_similarity(fine, found, data_range=span)
                figures.setdefault(f"ssim_{method}", []).append(ssim)
    return {name: round(float(np.mean(values)), 4) for name, values in sorted(figures.items())}


def train(folder: Path, count: int = 240, steps: int = 1800) -> dict[str, Any]:
    """Train and write the weights with their hash; measured by ``main``, from the package."""
    content = save({n: v.contiguous() for n, v in fit(count, steps).state_dict().items()})
    (folder / "weights.safetensors").write_bytes(content)
    card = {"sha256": hashlib.sha256(content).hexdigest(), "pictures": count, "steps": steps}
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def _unseen(count: int) -> list[delineate.Image]:
    rng = np.random.default_rng(_TEST)
    grid = delineate.Grid.regular((1, _SIZE, _SIZE), unit="px")
    return [delineate.Image(leaves(_SIZE, rng)[None], grid, "photo") for _ in range(count)]


def main() -> None:
    """Train into the package, or measure on files."""
    parser = argparse.ArgumentParser(description="Train or measure the doubler.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--measure", nargs="+", metavar="FILE", help="images, or 'leaves'")
    asked = parser.parse_args()
    if not asked.measure:
        print(json.dumps(train(asked.out), indent=1))  # noqa: T201
        return
    images = [
        image
        for name in asked.measure
        for image in (_unseen(40) if name == "leaves" else [delineate.read(name)])
    ]
    print(json.dumps(compared(images), indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
