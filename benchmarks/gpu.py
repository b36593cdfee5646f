"""Segment a whole CT on a graphics card, beside MONAI's sliding window with autocast.

    python benchmarks/gpu.py    # skips, and says so, where torch finds no CUDA device

The case of `inference.py`: 512 x 512 x 300, end to end, warm. MONAI's side is given the working
volume on the card and is timed for its window pass alone; sampling before and labels after are not
counted against it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from ct_case import TILE, model, scan
from measure import compare, report
from monai.inferers import sliding_window_inference

from delineate.plugins import Monitor
from delineate.segmentation.engine import make_plan
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.sampler import Sampler
from delineate.segmentation.segmenter import Segmenter
from delineate.segmentation.weights import load_network


def matmul_peak() -> float:
    """TFLOP/s of a large bfloat16 matrix product."""
    size = 8192
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    best = min(_seconds(lambda: a @ b) for _ in range(10))
    return 2 * size**3 / best / 1e12


def _seconds(run: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print and write the results."""
    if not torch.cuda.is_available():
        print("gpu: skipped, torch finds no CUDA device")
        return
    image, described = scan(300), model()
    segmenter, options = Segmenter(described), ModelOptions(device="cuda")
    found = segmenter.run(image, options, Monitor())
    short = scan(80)  # enough to compare; the CPU takes minutes for all of it
    on_card = segmenter.run(short, options, Monitor())
    cpu = segmenter.run(short, ModelOptions(device="cpu", backend="torch"), Monitor())
    plan = make_plan(image, described, TILE, overlap=0.25, area="whole")
    sampled = Sampler(image, plan.working, described).inputs(0, plan.working.grid.shape[0])
    volume = torch.from_numpy(sampled)[None].cuda()
    network = load_network(described).cuda()

    def monai() -> None:
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
            sliding_window_inference(volume, TILE, 4, network, overlap=0.25, mode="gaussian")
        torch.cuda.synchronize()

    seconds = compare(
        {"ours": lambda: segmenter.run(image, options, Monitor()), "monai": monai}, repeats=5
    )
    peak = matmul_peak()
    report(
        "gpu",
        {
            "card": torch.cuda.get_device_name(),
            "device": found.device,
            "delineate_s": seconds["ours"],
            "monai_window_pass_s": seconds["monai"],
            "equal_to_cpu": float((on_card.labels == cpu.labels).mean()),
            "bf16_matmul_peak_tflops": peak,
            "of_bf16_peak": found.estimate.flop / seconds["ours"] / 1e12 / peak,
        },
        {"vs_monai_window_pass": seconds["monai"] / seconds["ours"]},
    )


if __name__ == "__main__":
    main()
