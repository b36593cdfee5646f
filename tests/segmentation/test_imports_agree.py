"""An imported model, end to end, gives the labels of the tool that it was imported from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import nnunet_results as nnunet
import numpy as np
import pytest
import scipy.ndimage as ndimage
import torch
from monai.bundle import ConfigParser
from monai.networks import nets
from monai.transforms import Compose, Invertd
from numpy.typing import NDArray

from delineate import formats
from delineate.imaging import Image
from delineate.plugins import Monitor
from delineate.segmentation.imports.monai_bundle import import_bundle
from delineate.segmentation.imports.nnunet import import_folder
from delineate.segmentation.model import Model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.segmenter import Segmenter

STORED = {  # x to the left or right, y to the back or front, z upwards
    "LAS": np.diag([-1.2, -0.9, 2.5, 1.0]) @ np.diag([1, -1, 1, 1]),
    "RAS": np.diag([1.2, 0.9, 2.5, 1.0]),
}


def _image(folder: Path, stored: str) -> Path:
    """Smooth noise with more detail along x than along y, stored as said."""
    noise = np.random.default_rng(7).normal(size=(50, 44, 30))
    values = ndimage.gaussian_filter(noise, (1.5, 2.5, 1.5))
    path = folder / "image.nii.gz"
    scaled = (values / values.std() * 150).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(scaled, STORED[stored]), path)
    return path


def _ours(model: Model, path: Path) -> NDArray[np.uint8]:
    """Labels on the file's own grid, in the file's own order of axes."""
    image = formats.read(path)
    assert isinstance(image, Image)
    options = ModelOptions(backend="torch", device="cpu", area="whole")
    labels = Segmenter(model).run(image, options, Monitor()).labels
    affine = nibabel.load(path).affine
    ras = image.grid.to_world(np.argwhere(np.ones(labels.shape, bool))) * [-1, -1, 1]
    places = np.linalg.inv(affine[:3, :3]) @ (ras - affine[:3, 3]).T
    i, j, k = np.rint(places).astype(int)
    stored = np.zeros((50, 44, 30), np.uint8)
    stored[i, j, k] = labels.ravel()
    return stored


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader", "ignore::FutureWarning")  # MONAI's
@pytest.mark.parametrize(("stored", "mode"), [("LAS", "constant"), ("RAS", "gaussian")])
def test_a_bundle_gives_the_labels_of_monais_own_pipeline(
    tmp_path: Path, stored: str, mode: str
) -> None:
    path = _image(tmp_path, stored)
    keys = {"keys": "image"}
    arguments = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "norm": "instance"}
    arguments |= {"channels": [8, 16, 32], "strides": [2, 2], "num_res_units": 1}
    config: dict[str, Any] = {
        "network_def": {"_target_": "UNet", **arguments},
        "preprocessing": [
            {"_target_": "LoadImaged", **keys},
            {"_target_": "EnsureChannelFirstd", **keys},
            {"_target_": "Orientationd", **keys, "axcodes": "RAS"},
            {"_target_": "Spacingd", **keys, "pixdim": [1.5, 1.5, 2.0], "mode": "bilinear"},
            {"_target_": "NormalizeIntensityd", **keys, "nonzero": True},
            {"_target_": "ScaleIntensityd", **keys, "minv": -1.0, "maxv": 1.0},
        ],
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": [24, 32, 16],
            "overlap": 0.25,
            "mode": mode,
        },
        "postprocessing": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
        ],
    }
    torch.manual_seed(0)
    network = nets.UNet(**arguments).eval()
    bundle = tmp_path / "bundle"
    (bundle / "configs").mkdir(parents=True)
    (bundle / "models").mkdir()
    (bundle / "configs" / "inference.json").write_text(json.dumps(config))
    torch.save(network.state_dict(), bundle / "models" / "model.pt")
    model = import_bundle(bundle, tmp_path / "model", settings={"labels": ["a", "b"]})

    parser = ConfigParser(config)
    before = Compose(parser.get_parsed_content("preprocessing"))
    item = before({"image": str(path)})
    with torch.inference_mode():
        logits = parser.get_parsed_content("inferer")(item["image"][None], network)[0].clone()
    logits.affine = item["image"].affine
    logits.applied_operations = item["image"].applied_operations
    item["pred"] = logits
    back = Invertd(keys="pred", transform=before, orig_keys="image", nearest_interp=False)
    expected = np.asarray(back(item)["pred"]).argmax(0)

    assert min(np.bincount(expected.ravel(), minlength=3)) > 1000
    assert (_ours(model, path) == expected).mean() > 0.9999


@pytest.mark.parametrize(
    ("spacing", "order"), [((3.0, 1.5, 1.25), (0, 1, 2)), ((9.0, 1.5, 1.25), (1, 2, 0))]
)
def test_a_result_folder_gives_the_labels_of_nnunets_own_pipeline(
    tmp_path: Path, spacing: tuple[float, ...], order: tuple[int, ...]
) -> None:
    pytest.importorskip("nnunetv2", reason="nnU-Net, which is compared with, is not installed")
    path = _image(tmp_path, "RAS")
    described = nnunet.configuration(
        spacing=[spacing[axis] for axis in order], patch_size=[8, 16, 24]
    )
    plan = nnunet.plans(**{"3d_fullres": described})
    plan["transpose_forward"] = list(order)
    plan["transpose_backward"] = [order.index(axis) for axis in range(3)]
    plan["image_reader_writer"] = "NibabelIOWithReorient"
    folder = nnunet.result(tmp_path, plan)
    model = import_folder(folder, tmp_path / "model", settings={})

    expected = nnunet.segmented(folder, path).transpose(2, 1, 0)

    assert min(np.bincount(expected.ravel(), minlength=3)) > 1000
    # nnU-Net adds tiles in half precision: at the image's corners small weights lose digits.
    assert (_ours(model, path) == expected).mean() > 0.997
