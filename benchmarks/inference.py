"""Segment a whole CT, beside MONAI's and nnU-Net's own tools, with one network and its weights.

    python benchmarks/inference.py               # 512 x 512 x 300; about ten minutes
    python benchmarks/inference.py --slices 100  # a quick look

End to end: the array in, labels on the scan's own grid out, with the same number of threads.

- *delineate*: `Segmenter.run` as detectors call it, with OpenVINO and with plain torch; tiles over
  the body, a quarter overlapping.
- *MONAI*: `Spacing` to 1.5 mm, `sliding_window_inference` of 96^3 tiles that overlap by a quarter,
  the logits back to the scan's grid by torch's trilinear interpolation, argmax.
- *nnU-Net*: its resampling of order 3, its predictor at its defaults without mirroring (half
  overlapping), its resampling of the logits, argmax. Once: it takes minutes.

`other_than_network` is the share of sampling, merging, restoring and confidence. Random weights
make noise of which every sample has to be interpolated; the second figure favours the background
until a fifth of a body is foreground.

Agreement with the plain reference says that speed is not bought with other labels: with the same
tiles (over the whole scan, flush as MONAI's) our labels are compared with MONAI's; restoring is
compared with interpolating all logits.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from ct_case import CLASSES, HIGH_HU, LOW_HU, LOWEST_MM, SPACING, TILE, model, scan
from measure import compare, report
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.transforms import Spacing
from numpy.typing import NDArray

from delineate.imaging import Image
from delineate.phantom import torso
from delineate.plugins import Monitor
from delineate.segmentation.engine import make_plan
from delineate.segmentation.merge import Slab, in_parallel
from delineate.segmentation.merge_kernel import settled
from delineate.segmentation.model import Model, Sampling
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.restore import Restorer, label_table
from delineate.segmentation.restore_kernel import MIXED, uniform_cells
from delineate.segmentation.segmenter import Segmenter
from delineate.segmentation.weights import load_network
from delineate.segmentation.working import working_grid

Labels = NDArray[np.uint8]


def monai_labels(image: Image, network: torch.nn.Module) -> Labels:
    """Resample, slide, bring all logits to full resolution, argmax."""
    affine = np.diag([*image.grid.spacing, 1.0])
    tensor = MetaTensor(torch.from_numpy(image.array.astype(np.float32))[None], affine=affine)
    coarse = Spacing((1.5, 1.5, 1.5), mode="bilinear", padding_mode="border")(tensor).as_tensor()
    inputs = coarse.clamp(LOW_HU, HIGH_HU) / HIGH_HU
    with torch.inference_mode():
        logits = sliding_window_inference(
            inputs[None], TILE, 1, network, overlap=0.25, mode="gaussian"
        )
    return interpolated_labels(logits, image.grid.shape)


def interpolated_labels(logits: torch.Tensor, shape: tuple[int, int, int]) -> Labels:
    """Trilinear interpolation between the first and the last sample of both, then argmax."""
    # MONAI's grid begins at the first sample and ends up to half a step from the last: sampled at
    # the places that its affine gives, not stretched.
    counts = logits.shape[2:]
    lines = [
        torch.arange(n) * (step / 1.5) * 2 / max(1, size - 1) - 1
        for n, step, size in zip(shape, SPACING, counts, strict=True)
    ]
    out = np.empty(shape, np.uint8)
    for first in range(0, shape[0], 8):
        z, y, x = torch.meshgrid(lines[0][first : first + 8], lines[1], lines[2], indexing="ij")
        places = torch.stack([x, y, z], -1)[None].float()
        full = F.grid_sample(logits, places, padding_mode="border", align_corners=True)
        out[first : first + 8] = full[0].argmax(0).numpy()
    return out


def nnunet_labels(image: Image, network: torch.nn.Module) -> Labels:
    """nnU-Net's own resampling and predictor, in its own words."""
    sys.modules.setdefault("cc3d", ModuleType("cc3d"))  # imported by nnU-Net, not used here
    from nnunetv2.preprocessing.resampling.default_resampling import (
        compute_new_shape,
        resample_data_or_seg_to_shape,
    )

    data = np.clip(image.array.astype(np.float32), LOW_HU, HIGH_HU)[None] / HIGH_HU
    fine, coarse = list(image.grid.spacing), [1.5, 1.5, 1.5]
    shape = compute_new_shape(data.shape[1:], fine, coarse)
    order = {"is_seg": False, "order_z": 0, "force_separate_z": None}
    small = resample_data_or_seg_to_shape(data, shape, fine, coarse, order=3, **order)
    logits = nnunet_predictor(network).predict_sliding_window_return_logits(
        torch.from_numpy(small.astype(np.float32))
    )
    full = resample_data_or_seg_to_shape(
        logits.float().numpy(), image.grid.shape, coarse, fine, order=1, **order
    )
    return np.asarray(np.asarray(full).argmax(0), np.uint8)


def nnunet_predictor(network: torch.nn.Module) -> Any:
    """nnU-Net's predictor at its defaults, without mirroring, for any network."""
    from types import SimpleNamespace

    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    predictor.network = network
    predictor.configuration_manager = SimpleNamespace(patch_size=list(TILE))
    predictor.label_manager = SimpleNamespace(num_segmentation_heads=CLASSES)
    predictor.allowed_mirroring_axes = None
    return predictor


def ours(image: Image, described: Model, backend: str) -> Callable[[], Labels]:
    """A warm segmenter, as a detector keeps it."""
    segmenter = Segmenter(described)
    options = ModelOptions(device="cpu", backend=backend)  # type: ignore[arg-type]
    return lambda: segmenter.run(image, options, Monitor()).labels


def stages(image: Image, described: Model, backend: str) -> tuple[float, float]:
    """Share of the network in the time of a warm run, and its GFLOP/s."""
    from delineate.segmentation import engine

    segmenter = Segmenter(described)
    options = ModelOptions(device="cpu", backend=backend)  # type: ignore[arg-type]
    segmenter.run(image, options, Monitor())
    plain, spent = engine._logits, [0.0]

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        answer = plain(*arguments)
        spent[0] += time.perf_counter() - start
        return answer

    engine._logits = timed
    try:
        start = time.perf_counter()
        found = segmenter.run(image, options, Monitor())
        whole = time.perf_counter() - start
    finally:
        engine._logits = plain
    return spent[0] / whole, found.estimate.flop / spent[0] / 1e9


def matmul_peak() -> float:
    """GFLOP/s of a large float32 matrix product."""
    size = 4096
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = min(_seconds(lambda: a @ b) for _ in range(5))
    return 2 * size**3 / best / 1e9


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def restoring(image: Image) -> dict[str, Any]:
    """Labels back onto the scan's grid: seconds of both ways, and samples that differ.

    The logits are those of a sure network: the organs of a phantom, interpolated.
    """
    sampling = Sampling(orientation="SPL", spacing_mm=(1.5, 1.5, 1.5), fit="faces")
    working = working_grid(image.grid, sampling, (1, 1, 1))
    _, truth = torso(1, (6.0, 4.0, 4.0), (LOWEST_MM, LOWEST_MM + 1.5 * image.grid.shape[0]))
    organs = F.one_hot(torch.from_numpy(truth.array.astype(np.int64)), CLASSES).movedim(-1, 0)
    logits = F.interpolate(10.0 * organs[None].float(), size=working.grid.shape, mode="trilinear")
    last = np.ascontiguousarray(logits[0].movedim(0, -1).numpy())
    mass = np.ones(working.grid.shape, np.float32)
    code = np.empty(working.grid.shape, np.uint8)
    threads = torch.get_num_threads()

    def quick() -> Labels:
        def part(first: int, stop: int) -> None:
            settled(last[first:stop], mass[first:stop], CLASSES, False, code[first:stop])

        in_parallel(part, len(code), threads)
        restorer = Restorer(working, CLASSES, False, label_table("softmax", ()), threads)
        restorer.add(Slab(0, 0, (0, 0), last, code, last=True))
        return restorer.labels

    def plain() -> Labels:
        full = F.interpolate(logits, size=image.grid.shape, mode="trilinear")
        return np.asarray(full[0].argmax(0).numpy(), np.uint8)

    differ = int((quick() != plain()).sum())
    seconds = compare({"ours": quick, "torch": plain}, repeats=3)
    mixed = float((uniform_cells(code) == MIXED).mean())
    return {
        "restore_delineate_s": seconds["ours"],
        "restore_torch_s": seconds["torch"],
        "restore_samples_that_differ": differ,
        "restore_cells_interpolated": mixed,
    }


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--without-nnunet", action="store_true")
    chosen = parser.parse_args()
    image, described = scan(chosen.slices), model()
    network = load_network(described)

    whole = {
        name: Segmenter(described)
        .run(image, ModelOptions(device="cpu", backend=name, area="whole"), Monitor())
        .labels
        for name in ("torch", "openvino")
    }
    plain = monai_labels(image, network)
    seconds = compare(
        {
            "openvino": ours(image, described, "openvino"),
            "torch": ours(image, described, "torch"),
            "monai": lambda: monai_labels(image, network),
        },
        repeats=chosen.repeats,
    )
    body = make_plan(image, described, TILE, overlap=0.25)
    everything = make_plan(image, described, TILE, overlap=0.25, area="whole")
    peak = matmul_peak()
    share, speed = stages(image, described, "openvino")
    like_a_body, _ = stages(image, model(foreground=0.2), "openvino")
    torch_share, torch_speed = stages(image, described, "torch")
    back = restoring(image)
    figures = {
        "shape": "x".join(map(str, image.grid.shape)),
        "threads": torch.get_num_threads(),
        "tiles_body": body.tiles,
        "tiles_whole": everything.tiles,
        "delineate_openvino_s": seconds["openvino"],
        "delineate_torch_s": seconds["torch"],
        "monai_s": seconds["monai"],
        "equal_torch_to_monai": float((whole["torch"] == plain).mean()),
        "equal_openvino_to_monai": float((whole["openvino"] == plain).mean()),
        "matmul_peak_gflops": peak,
        "network_openvino_gflops": speed,
        "network_openvino_of_peak": speed / peak,
        "network_torch_gflops": torch_speed,
        "other_than_network_openvino": 1 - share,
        "other_than_network_openvino_fifth_foreground": 1 - like_a_body,
        "other_than_network_torch": 1 - torch_share,
        **back,
    }
    ratios = {
        "openvino_vs_monai": seconds["monai"] / seconds["openvino"],
        "torch_vs_monai": seconds["monai"] / seconds["torch"],
        "restore_vs_torch": back["restore_torch_s"] / back["restore_delineate_s"],
    }
    if not chosen.without_nnunet:
        figures["nnunet_s"] = _seconds(lambda: nnunet_labels(image, network))
        ratios["openvino_vs_nnunet"] = figures["nnunet_s"] / seconds["openvino"]
        ratios["torch_vs_nnunet"] = figures["nnunet_s"] / seconds["torch"]
    report("inference", figures, ratios)


if __name__ == "__main__":
    main()
