"""Result folders with random weights, written by nnU-Net's own trainer."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import torch

DATASET: dict[str, Any] = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "spleen": 1, "mystery lump": 2},
    "numTraining": 3,
    "file_ending": ".nii.gz",
    "name": "Dataset900_Lumps",
    "licence": "CC-BY-4.0",
    "reference": "nobody",
}
_RESAMPLING = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
_LAYERS = {
    "conv_bias": True,
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}


def architecture(kind: str = "PlainConvUNet", dimensions: int = 3) -> dict[str, Any]:
    """As plans of today describe a network."""
    count = "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"
    return {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": [4, 6, 8],
            "conv_op": f"torch.nn.modules.conv.Conv{dimensions}d",
            "kernel_sizes": [[1, 3, 3][-dimensions:], [3] * dimensions, [3] * dimensions],
            "strides": [[1] * dimensions, [1, 2, 2][-dimensions:], [2] * dimensions],
            count: [2, 1, 2],
            "n_conv_per_stage_decoder": [1, 2],
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}d",
            **_LAYERS,
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def configuration(dimensions: int = 3, kind: str = "PlainConvUNet", **more: Any) -> dict[str, Any]:
    """One configuration of a plan."""
    return {
        "data_identifier": "nnUNetPlans_x",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [8, 16, 24][-dimensions:],
        "spacing": [3.0, 1.5, 1.25][-dimensions:],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": dict(_RESAMPLING),
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_seg_kwargs": _RESAMPLING | {"is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": _RESAMPLING | {"order": 1},
        "batch_dice": True,
        "architecture": architecture(kind, dimensions),
        **more,
    }


def old(described: dict[str, Any]) -> dict[str, Any]:
    """The same configuration as plans of nnU-Net 2.0 had it."""
    new = described.pop("architecture")
    given = new["arch_kwargs"]
    kind = new["network_class_name"].rpartition(".")[2]
    count = "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"
    return described | {
        "UNet_class_name": kind,
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": given[count],
        "n_conv_per_stage_decoder": given["n_conv_per_stage_decoder"],
        "num_pool_per_axis": [1, 2, 2],
        "pool_op_kernel_sizes": given["strides"],
        "conv_kernel_sizes": given["kernel_sizes"],
    }


def plans(**configurations: dict[str, Any]) -> dict[str, Any]:
    """A plan of these configurations."""
    return {
        "dataset_name": "Dataset900_Lumps",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 90.5, "std": 21.0, "percentile_00_5": -40.0, "percentile_99_5": 190.0}
        },
        "configurations": configurations,
    }


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """nnU-Net warns and prints as it is imported and used."""
    # It imports connected-components-3d (LGPL) for what is not used here, so that it need not be
    # installed: an empty module stands in.
    sys.modules.setdefault("cc3d", ModuleType("cc3d"))
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def result(
    parent: Path,
    plan: dict[str, Any],
    chosen: str = "3d_fullres",
    dataset: dict[str, Any] | None = None,
    folds: tuple[int | str, ...] = (0,),
    mirror: tuple[int, ...] | None = (0, 1, 2),
) -> Path:
    """Write ``nnUNetTrainer__nnUNetPlans__CHOSEN``: what a training that ended has left."""
    logs = {"nnUNet_results": str(parent / "logs")}
    with _quietly(), mock.patch.dict(os.environ, logs):
        from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

        dataset = dataset or DATASET
        folder = parent / f"nnUNetTrainer__nnUNetPlans__{chosen}"
        for seed, fold in enumerate(folds):
            torch.manual_seed(seed)
            trainer = nnUNetTrainer(
                {**copy.deepcopy(plan), "continue_training": False},
                chosen,
                fold,
                copy.deepcopy(dataset),
                torch.device("cpu"),
            )
            from nnunetv2.utilities.label_handling.label_handling import (
                determine_num_input_channels,
            )

            channels = determine_num_input_channels(
                trainer.plans_manager, trainer.configuration_manager, dataset
            )
            trainer.network = trainer.build_network_architecture(
                trainer.plans_manager,
                trainer.configuration_manager,
                channels,
                trainer.label_manager.num_segmentation_heads,
                trainer.enable_deep_supervision,
            )
            trainer.optimizer, _ = trainer.configure_optimizers()
            trainer.logger.log("mean_fg_dice", np.float64(0.5), 0)
            trainer.logger.log("dice_per_class_or_region", [np.float32(0.25)], 0)
            trainer._best_ema = np.float64(0.5)
            trainer.inference_allowed_mirroring_axes = mirror
            (folder / f"fold_{fold}").mkdir(parents=True)
            trainer.save_checkpoint(str(folder / f"fold_{fold}" / "checkpoint_final.pth"))
    (folder / "plans.json").write_text(json.dumps(plan))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    return folder


def predicted(folder: Path, tile: torch.Tensor, folds: tuple[int, ...] = (0,)) -> torch.Tensor:
    """Logits of one tile by nnU-Net's own predictor, without mirroring."""
    with _quietly():
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"))
        predictor.initialize_from_trained_model_folder(str(folder), use_folds=folds)
        total = torch.zeros(())
        with torch.inference_mode():
            for weights in predictor.list_of_parameters:
                predictor.network.load_state_dict(weights)
                total = total + predictor.network.eval()(tile)
    return total / len(predictor.list_of_parameters)


def segmented(folder: Path, image: Path) -> Any:
    """Labels ``(slice, row, column)`` by nnU-Net's own reader, preprocessing and predictor."""
    with _quietly():
        from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        predictor = nnUNetPredictor(
            use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False
        )
        predictor.initialize_from_trained_model_folder(str(folder), use_folds=(0,))
        values, properties = NibabelIOWithReorient().read_images([str(image)])
        return predictor.predict_single_npy_array(values, properties)
