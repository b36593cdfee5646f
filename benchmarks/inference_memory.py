"""Memory and time of inference from 100 to 1600 slices, each in a process of its own.

    python benchmarks/inference_memory.py

What counts is the growth of resident memory above a process that holds the scan and the loaded
network, and has run one tile. MONAI's window pass (`sliding_window_inference`) and its
full-resolution logits are measured the same way at 300 and 800 slices; what would not fit the
machine is stated by size.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ct_case import CLASSES, HIGH_HU, LOW_HU, TILE, model, scan
from measure import report

SLICES = (100, 200, 400, 800, 1600)
COMPARED = (300, 800)


def resident_mb() -> float:
    """Resident memory now."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize() / 2**20


def peak_mb() -> float:
    """The most resident memory since `forget_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


def forget_peak() -> None:
    """Begin a new peak (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def measure(way: str, slices: int) -> dict[str, float]:
    """Growth in MB, and seconds, of one way on one scan."""
    import torch

    from delineate.plugins import Monitor
    from delineate.segmentation.options import ModelOptions
    from delineate.segmentation.segmenter import Segmenter
    from delineate.segmentation.weights import load_network

    image, described = scan(slices), model()
    if way in ("openvino", "torch"):
        segmenter = Segmenter(described)
        options = ModelOptions(device="cpu", backend=way)  # type: ignore[arg-type]
        expected = segmenter.estimate(image, options)
        forget_peak()
        before, start = resident_mb(), time.perf_counter()
        segmenter.run(image, options, Monitor())
        return {
            "mb": peak_mb() - before,
            "s": time.perf_counter() - start,
            "tiles": expected.tiles,
            "expected_mb": expected.bytes / 2**20,
        }
    from monai.data import MetaTensor
    from monai.inferers import sliding_window_inference
    from monai.transforms import Spacing

    network = load_network(described)
    with torch.inference_mode():
        network(torch.zeros(1, 1, *TILE))
        forget_peak()
        before, start = resident_mb(), time.perf_counter()
        affine = np.diag([*image.grid.spacing, 1.0])
        tensor = MetaTensor(torch.from_numpy(image.array.astype(np.float32))[None], affine=affine)
        coarse = Spacing((1.5, 1.5, 1.5), mode="bilinear")(tensor).as_tensor()
        inputs = (coarse.clamp(LOW_HU, HIGH_HU) / HIGH_HU)[None]
        sliding_window_inference(inputs, TILE, 1, network, overlap=0.25, mode="gaussian")
    return {"mb": peak_mb() - before, "s": time.perf_counter() - start}


def apart(way: str, slices: int) -> dict[str, Any]:
    """`measure` in a process of its own."""
    answer = subprocess.run(
        [sys.executable, __file__, "--way", way, "--slices", str(slices)],
        stdout=subprocess.PIPE,
        check=True,
    )
    measured: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    print(way, slices, measured, flush=True)
    return measured


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way")
    parser.add_argument("--slices", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(measure(chosen.way, chosen.slices)))
        return
    figures: dict[str, Any] = {}
    for slices in SLICES:
        for name, value in apart("openvino", slices).items():
            figures[f"openvino_{slices}_{name}"] = value
    figures["torch_300_mb"] = apart("torch", 300)["mb"]
    for slices in COMPARED:
        if f"openvino_{slices}_mb" not in figures:
            figures[f"openvino_{slices}_mb"] = apart("openvino", slices)["mb"]
        figures[f"monai_{slices}_mb"] = apart("monai", slices)["mb"]
        full = 4 * CLASSES * slices * 512 * 512 / 2**20
        figures[f"full_resolution_logits_{slices}_mb"] = full
    ratios = {
        "monai_window_pass_vs_openvino_300": figures["monai_300_mb"] / figures["openvino_300_mb"],
        "monai_window_pass_vs_openvino_800": figures["monai_800_mb"] / figures["openvino_800_mb"],
        "monai_with_logits_vs_openvino_800": (
            figures["monai_800_mb"] + figures["full_resolution_logits_800_mb"]
        )
        / figures["openvino_800_mb"],
    }
    report("inference_memory", figures, ratios)


if __name__ == "__main__":
    main()
