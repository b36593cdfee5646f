"""The same nnU-Net checkpoint through nnU-Net's own predictor and through ours.

    python benchmarks/nnunet.py                # 512 x 512 x 60; about five minutes

The checkpoint is written by nnunetv2's own trainer, with random weights: its plain network with
five stages of 32 to 320 channels, tiles of 96^3, at 1.5 mm. End to end: the array in, labels on its
own grid out, at equal settings (half overlapping tiles over the whole scan, no mirroring, its cubic
resampling).

nnU-Net sums up logits in half precision, rounds the sums and what it resamples from them to half
precision as well, and takes the first of equal logits. `equal_to_half` compares with it as it is,
`equal_to_single` with the same code in which `torch.half` is float32. `default` is what a user
gets: tiles over the body alone, the fastest backend that agrees with torch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import torch
from ct_case import scan
from measure import report
from numpy.typing import NDArray

from delineate.imaging import Image
from delineate.plugins import Monitor
from delineate.segmentation.imports.nnunet import import_folder
from delineate.segmentation.model import Model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.segmenter import Segmenter

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "segmentation"))
import nnunet_results

FEATURES = [32, 64, 128, 256, 320]
TILE = [96, 96, 96]


def checkpoint(folder: Path) -> Path:
    """A result folder as a training that ended has left it."""
    architecture = nnunet_results.architecture()
    stages = len(FEATURES)
    architecture["arch_kwargs"] |= {
        "n_stages": stages,
        "features_per_stage": FEATURES,
        "kernel_sizes": [[3, 3, 3]] * stages,
        "strides": [[1, 1, 1]] + [[2, 2, 2]] * (stages - 1),
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
    }
    described = nnunet_results.configuration(
        spacing=[1.5, 1.5, 1.5], patch_size=TILE, architecture=architecture
    )
    dataset = nnunet_results.DATASET | {
        "labels": {"background": 0} | {f"organ {n}": n for n in range(1, 14)}
    }
    plan = nnunet_results.plans(**{"3d_fullres": described})
    return nnunet_results.result(folder, plan, dataset=dataset)


def theirs(folder: Path, image: Image, single: bool = False) -> tuple[NDArray[Any], float]:
    """Labels and seconds of nnU-Net's own predictor."""
    sys.modules.setdefault("cc3d", ModuleType("cc3d"))  # imported by nnU-Net, not used here
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    predictor.initialize_from_trained_model_folder(str(folder), use_folds=(0,))
    values = image.array[None].astype(np.float32)
    start = time.perf_counter()
    with mock.patch.object(torch, "half", torch.float32 if single else torch.float16):
        labels = predictor.predict_single_npy_array(values, {"spacing": list(image.grid.spacing)})
    return np.asarray(labels), time.perf_counter() - start


def ours(model: Model, image: Image, backend: str, **options: Any) -> tuple[NDArray[Any], float]:
    """Labels and seconds of a warm segmenter."""
    segmenter = Segmenter(model)
    chosen = ModelOptions(device="cpu", backend=backend, **options)  # type: ignore[arg-type]
    segmenter.run(image, chosen, Monitor())
    start = time.perf_counter()
    labels = segmenter.run(image, chosen, Monitor()).labels
    return labels, time.perf_counter() - start


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=60)
    image = scan(parser.parse_args().slices)
    with tempfile.TemporaryDirectory() as name:
        folder = checkpoint(Path(name))
        model = import_folder(folder, Path(name) / "model", settings={"orientation": "SPL"})
        half, seconds = theirs(folder, image)
        single, _ = theirs(folder, image, single=True)
        whole, openvino_s = ours(model, image, "openvino", area="whole")
        plain, torch_s = ours(model, image, "torch", area="whole")
        _, body_s = ours(model, image, "auto")
    report(
        "nnunet",
        {
            "shape": "x".join(map(str, image.grid.shape)),
            "nnunet_s": seconds,
            "delineate_openvino_s": openvino_s,
            "delineate_torch_s": torch_s,
            "delineate_default_s": body_s,
            "equal_to_half": float((plain == half).mean()),
            "equal_to_single": float((plain == single).mean()),
            "nnunet_half_equal_to_single": float((half == single).mean()),
            "openvino_equal_to_torch": float((whole == plain).mean()),
            "labels_found": len(np.unique(plain)),
        },
        {
            "openvino_vs_nnunet": seconds / openvino_s,
            "torch_vs_nnunet": seconds / torch_s,
            "default_vs_nnunet": seconds / body_s,
        },
    )


if __name__ == "__main__":
    main()
