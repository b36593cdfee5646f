"""Segment a whole CT with the shipped organ model, beside MONAI's own tools.

    python benchmarks/inference.py                # 512 x 512 x 80, three interleaved runs
    python benchmarks/inference.py --slices 30    # a quick look

Both use the same network and weights, the same working spacing and the same tiles, in one process
and with the same number of threads.

- *delineate*: `OrganDetector.detect` as users call it, cleaning of pieces included.
- *MONAI*: `Spacing` to the working spacing, `sliding_window_inference`, `SpatialResample` of the
  logits to the scan's grid, argmax. It leaves the labels uncleaned, which is kinder to it.

The scan is a phantom brought to 0.8 x 0.8 x 2 mm. Two figures say that speed is not bought with
other labels: `equal_to_full_logits` compares our restoring with full-resolution logits of the same
working volume; `equal_to_monai` compares the two roads end to end before cleaning. Those differ:
MONAI picks single fine samples and pads a scan shorter than a tile with zeros, ours averages and
repeats the border.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from measure import compare, report
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.transforms import Spacing, SpatialResample
from numpy.typing import NDArray

from delineate.imaging import Grid, Image
from delineate.phantom import Phase, torso
from delineate.plugins import Monitor
from delineate.segmentation.intensity import channels
from delineate.segmentation.options import OrganOptions
from delineate.segmentation.organs import OrganDetector
from delineate.segmentation.restore import restore
from delineate.segmentation.tiles import infer
from delineate.segmentation.working import to_working

SPACING = (2.0, 0.8, 0.8)
LOW_MM = -150.0


def scan(slices: int, size: int = 512, seed: int = 11) -> Image:
    """A phantom's trunk at 0.8 x 0.8 x 2 mm, from the kidneys upwards."""
    coarse, _ = torso(seed, (4.0, 3.2, 3.2), (LOW_MM, LOW_MM + 2 * slices + 8), phase=Phase.PORTAL)
    volume = torch.from_numpy(coarse.array.astype(np.float32))[None, None]
    shape = (2 * volume.shape[2], 4 * volume.shape[3], 4 * volume.shape[4])
    fine = F.interpolate(volume, size=shape, mode="trilinear", align_corners=False)[0, 0].numpy()
    out = np.full((slices, size, size), -1000, np.float32)
    rows, columns = (min(size, n) for n in fine.shape[1:])
    top, left = (size - rows) // 2, (size - columns) // 2
    out[:, top : top + rows, left : left + columns] = fine[:slices, :rows, :columns]
    out += np.random.default_rng(seed).normal(0, 8, out.shape).astype(np.float32)
    grid = Grid.regular(out.shape, SPACING, (-0.4 * size, -0.4 * size, LOW_MM))
    return Image(np.rint(out).astype(np.int16), grid, "CT")


def monai_labels(image: Image, detector: OrganDetector, network: Any) -> NDArray[np.uint8]:
    """The plain road: resample, slide, bring all logits to full resolution, argmax."""
    model = detector.model
    affine = np.diag([*image.grid.spacing, 1.0])
    tensor = MetaTensor(torch.from_numpy(image.array.astype(np.float32))[None], affine=affine)
    coarse = Spacing(pixdim=model.spacing_mm, mode="bilinear", padding_mode="border")(tensor)
    with torch.inference_mode():
        logits = sliding_window_inference(
            channels(coarse.as_tensor(), model.windows),
            model.tile,
            1,
            network,
            overlap=model.overlap,
            mode="gaussian",
        )[0]
    full = SpatialResample(mode="bilinear", padding_mode="border")(
        MetaTensor(logits, affine=coarse.affine), dst_affine=affine, spatial_size=image.grid.shape
    )
    return np.asarray(full.as_tensor().argmax(0).numpy(), np.uint8)


def equal_shares(image: Image, detector: OrganDetector, network: Any) -> tuple[float, float]:
    """Shares of samples equal to full-resolution logits, and to MONAI end to end."""
    model, monitor = detector.model, Monitor()
    working = to_working(image, model.spacing_mm, model.tile, monitor)
    classes = len(model.structures) + 1
    logits = infer(
        network, working.hu, model.windows, model.tile, model.overlap, monitor, classes=classes
    )
    ours = restore(logits.numpy(), working.grid, image.grid, monitor)
    same = 0
    matrix = working.grid.inverse @ image.grid.affine
    size = torch.tensor(working.grid.shape, dtype=torch.float64)
    for first in range(0, image.grid.shape[0], 8):
        count = min(8, image.grid.shape[0] - first)
        axes = [np.arange(first, first + count), *map(np.arange, image.grid.shape[1:])]
        indices = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        places = torch.from_numpy(indices @ matrix[:3, :3].T + matrix[:3, 3])
        local = (places * 2 / (size - 1) - 1).flip(-1).float()
        full = F.grid_sample(logits[None], local[None], padding_mode="border", align_corners=True)[
            0
        ]
        same += int((full.argmax(0).numpy() == ours[first : first + count]).sum())
    theirs = monai_labels(image, detector, network)
    return same / ours.size, float((theirs == ours).mean())


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=80)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    image = scan(chosen.slices)
    detector = OrganDetector()
    network = detector.model.load_network()
    options = OrganOptions(device="cpu", overlap=detector.model.overlap)
    exact, close = equal_shares(image, detector, network)
    seconds = compare(
        {
            "delineate": lambda: detector.detect(image, options),
            "monai": lambda: monai_labels(image, detector, network),
        },
        repeats=chosen.repeats,
    )
    report(
        "inference",
        {
            "shape": "x".join(map(str, image.grid.shape)),
            "threads": torch.get_num_threads(),
            "delineate_s": seconds["delineate"],
            "monai_s": seconds["monai"],
            "equal_to_full_logits": exact,
            "equal_to_monai": close,
        },
        {"vs_monai": seconds["monai"] / seconds["delineate"]},
    )


if __name__ == "__main__":
    main()
