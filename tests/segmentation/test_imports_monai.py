"""Bundles of MONAI become model folders, and nothing that they bring is run."""

from __future__ import annotations

import copy
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.bundle import ConfigParser
from monai.networks import nets
from monai.transforms import NormalizeIntensity, ScaleIntensity, ScaleIntensityRange

from delineate.errors import DelineateError, ModelError, OptionError, UploadError
from delineate.segmentation.imports.monai_bundle import import_bundle
from delineate.segmentation.imports.monai_config import Config
from delineate.segmentation.imports.monai_transforms import read_before
from delineate.segmentation.imports.settings import parsed
from delineate.segmentation.intensity import Affine, Clip, MinMax, ZScore, applied, fixed
from delineate.segmentation.model_file import read_model
from delineate.segmentation.weights import load_network

UNET = {
    "_target_": "UNet",
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 3,
    "channels": [4, 8],
    "strides": [2],
    "norm": "batch",
}
RANGE = {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -57, "a_max": 164}
RANGE |= {"b_min": 0, "b_max": 1, "clip": True}


def _config() -> dict[str, Any]:
    """As the zoo writes them: what runs things is an expression, what describes them is data."""
    return {
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "image_key": "image",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "pixdim": [1.5, 1.5, 2.0],
        "sliding": {"overlap": 0.5, "batch": 4},
        "network_def": copy.deepcopy(UNET),
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "@image_key"},
                {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
                {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
                {
                    "_target_": "Spacingd",
                    "keys": "@image_key",
                    "pixdim": "@pixdim",
                    "mode": "bilinear",
                },
                dict(RANGE),
                {"_target_": "EnsureTyped", "keys": "@image_key"},
            ],
        },
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": [32, 32, 16],
            "sw_batch_size": "@sliding#batch",
            "overlap": "@sliding#overlap",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing"},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "run": ["$@evaluator.run()"],
    }


def _with(path: str, value: Any) -> dict[str, Any]:
    config = _config()
    Config(config, {path: value})
    return config


def _metadata(*labels: str) -> dict[str, Any]:
    return {
        "version": "0.5.3",
        "name": "Spleen and liver",
        "authors": "MONAI team",
        "eval_metrics": {"mean_dice": 0.96},
        "intended_use": "This is an example, not to be used for diagnostic purposes",
        "network_data_format": {
            "inputs": {"image": {"modality": "CT", "num_channels": 1}},
            "outputs": {
                "pred": {"channel_def": {str(number): name for number, name in enumerate(labels)}}
            },
        },
    }


Bundle = Callable[..., Path]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Write a bundle with MONAI's own tools; its weights are random."""

    def write(
        config: dict[str, Any] | None = None,
        labels: tuple[str, ...] = ("background", "spleen", "mystery lump"),
        network: torch.nn.Module | None = None,
        form: str = "json",
    ) -> Path:
        folder = tmp_path / "spleen_ct_segmentation"
        (folder / "configs").mkdir(parents=True)
        (folder / "models").mkdir()
        path = str(folder / "configs" / f"inference.{form}")
        ConfigParser.export_config_file(config or _config(), path, fmt=form)
        (folder / "configs" / "metadata.json").write_text(json.dumps(_metadata(*labels)))
        (folder / "LICENSE").write_text("   Apache License\n   Version 2.0, January 2004\n")
        network = network or nets.UNet(**{k: v for k, v in UNET.items() if k != "_target_"})
        torch.save(network.state_dict(), folder / "models" / "model.pt")
        return folder

    return write


def _zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))


@settings(max_examples=30, deadline=None)
@given(
    low=st.floats(-1000, 0),
    width=st.floats(1, 2000),
    target=st.tuples(st.floats(-2, 0), st.floats(0.5, 3)),
    clip=st.booleans(),
    kind=st.sampled_from(["range", "scale", "normalise", "nonzero", "affine"]),
)
def test_intensities_are_those_of_monai(
    low: float, width: float, target: tuple[float, float], clip: bool, kind: str
) -> None:
    values = np.random.default_rng(4).normal(0, 500, (1, 6, 5, 4)).astype(np.float32)
    values[0, :2] = 0
    table: dict[str, tuple[Any, dict[str, Any]]] = {
        "range": (
            ScaleIntensityRange,
            {"a_min": low, "a_max": low + width, "b_min": target[0], "b_max": target[1]}
            | {"clip": clip},
        ),
        "scale": (ScaleIntensity, {"minv": target[0], "maxv": target[1]}),
        "normalise": (NormalizeIntensity, {}),
        "nonzero": (NormalizeIntensity, {"nonzero": True, "channel_wise": True}),
        "affine": (NormalizeIntensity, {"subtrahend": low, "divisor": width}),
    }
    transform, arguments = table[kind]
    listed = [{"_target_": f"{transform.__name__}d", "keys": "image", **arguments}]
    steps = read_before(Config({"preprocessing": listed}, {}), 1).steps[0]

    expected = np.asarray(transform(**arguments)(values))[0]
    got = applied(fixed(steps, lambda: [values[0, :3], values[0, 3:]]), values[0])

    np.testing.assert_allclose(got, expected, atol=2e-5 * max(1.0, abs(expected).max()))


def _paths(content: Any, path: str = "") -> list[str]:
    """Every place in a configuration."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    found = []
    for key, value in items:
        place = f"{path}#{key}" if path else str(key)
        found.append(place)
        if isinstance(value, (dict, list)):
            found += _paths(value, place)
    return found


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "@", "@pixdim", "%x", "$1/0", "os.system", "True", "sigmoid"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("_target_"), inner),
    max_leaves=4,
)


@settings(max_examples=120, deadline=None)
@given(path=st.sampled_from(_paths(_config())), value=values)
def test_whatever_a_configuration_says_it_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, path: str, value: Any
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "configs").mkdir()
    (folder / "configs" / "inference.json").write_text(json.dumps(_with(path, value)))
    metadata = _metadata("background", "spleen", "lump")
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))

    with pytest.raises(ModelError) as refused:  # without weights at the latest
        import_bundle(folder, folder / "model", settings={})
    assert str(refused.value)


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_bundle_becomes_a_model_that_says_the_same(
    bundle: Bundle, tmp_path: Path, form: str, packed: bool
) -> None:
    torch.manual_seed(5)
    network = nets.UNet(**{k: v for k, v in UNET.items() if k != "_target_"}).eval()
    path = bundle(network=network, form=form)
    written = import_bundle(_zipped(path) if packed else path, tmp_path / "model", settings={})

    model = read_model(tmp_path / "model")
    assert model.name == written.name == "spleen-ct-segmentation"
    assert (model.version, model.title, model.modality) == ("0.5.3", "Spleen and liver", "CT")
    assert model.licence.startswith("Apache-2.0")
    assert model.intended_use.startswith("This is an example")
    assert model.metrics == {"mean_dice": 0.96}
    assert (model.sampling.orientation, model.sampling.spacing_mm) == ("RAS", (1.5, 1.5, 2.0))
    assert (model.sampling.fit, model.sampling.method) == ("first", "linear")
    assert model.sampling.normalise == "after"
    assert (model.tiles.shape, model.tiles.overlap) == ((32, 32, 16), 0.5)
    assert (model.tiles.placement, model.tiles.weight) == ("flush", "constant")
    assert model.tiles.padding == "zero"
    assert model.inputs == ((0, (Clip(-57, 164), Affine(-57, 221))),)
    spleen, lump = (each.category for each in model.structures)
    assert (spleen.name, spleen.code and spleen.code.meaning) == ("spleen", "Spleen")
    assert (lump.name, lump.code) == ("mystery lump", None)
    values = torch.randn(1, 1, 32, 32, 16)
    with torch.inference_mode():
        assert torch.equal(load_network(model)(values), network(values))


def test_values_given_by_hand_replace_those_of_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    given_by_hand = parsed(
        [
            *("pixdim=3,3,3", "inferer#mode=gaussian", "inferer#padding_mode=replicate"),
            *("labels=spleen,liver", "name=mine", "licence=CC-BY-4.0", "modality=MR"),
        ]
    )
    model = import_bundle(bundle(), tmp_path / "model", settings=given_by_hand)

    assert model.sampling.spacing_mm == (3, 3, 3)
    assert (model.tiles.weight, model.tiles.padding) == ("gaussian", "edge")
    assert [each.category.name for each in model.structures] == ["spleen", "liver"]
    assert (model.name, model.licence, model.modality) == ("mine", "CC-BY-4.0", "MR")


def test_an_expression_that_is_needed_is_shown_and_can_be_replaced(
    bundle: Bundle, tmp_path: Path
) -> None:
    config = _config()
    config["pixdim"] = "$[1.5, 1.5, 1.5] if @highres else __import__('os').system('touch canary')"
    path = bundle(config)

    with pytest.raises(ModelError, match=r"pixdim is an expression(?s:.*)@highres(?s:.*)--set"):
        import_bundle(path, tmp_path / "model", settings={})
    model = import_bundle(path, tmp_path / "model", settings=parsed(["pixdim=1.5,1.5,1.5"]))

    assert model.sampling.spacing_mm == (1.5, 1.5, 1.5)


TRANSFORMS = "preprocessing#transforms"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("network_def#_target_", "os.system", "not MONAI's; code of a bundle is never run"),
        ("network_def#_target_", "scripts.networks.unest.UNesT", "code of a bundle is never run"),
        ("network_def#_target_", "monai.networks.nets.DiNTS", "none of AttentionUnet"),
        ("network_def#_target_", "PlainConvUNet", "none of AttentionUnet"),
        ("network_def#_target_", "$os.system", "expected the name of a class of MONAI"),
        ("network_def#act", "$os.system('touch canary')", "is an expression"),
        ("network_def#channels", [100_000_000, 4], "up to 100,000"),
        ("network_def#in_channels", 10**9, "expected in_channels from 1 to 1000"),
        ("network_def#spatial_dims", 2, "3-D networks alone"),
        (f"{TRANSFORMS}#0#_target_", "os.system", "code of a bundle is never run"),
        (f"{TRANSFORMS}#0#_target_", "Lambdad", "is Lambdad, which no model folder can say"),
        (f"{TRANSFORMS}#0#_target_", "SpatialPadd", "is SpatialPadd"),
        (f"{TRANSFORMS}#0#_target_", ["LoadImaged"], "expected the name of a class"),
        (f"{TRANSFORMS}#3#mode", "nearest", "mode='nearest', which is not understood"),
        (f"{TRANSFORMS}#3#diagonal", True, "diagonal=True"),
        (f"{TRANSFORMS}#3#pixdim", [1, -1, 1], "three positive numbers"),
        (f"{TRANSFORMS}#3#pixdim", "@nowhere", "refers to @nowhere"),
        (f"{TRANSFORMS}#3#pixdim", f"@{TRANSFORMS}#3#pixdim", "cannot be followed"),
        ("network_def", "@network_def#network_def", "cannot be followed"),
        ("pixdim", "@sliding#pixdim", "refers to @sliding#pixdim"),
        ("pixdim", "%configs/other.json#pixdim", "refers to %configs/other.json"),
        (f"{TRANSFORMS}#2#labels", [["L", "R"]], "has labels of its own"),
        (f"{TRANSFORMS}#4#a_max", -57, "turns the intensities round"),
        (f"{TRANSFORMS}#4#a_max", "$float('inf')", "is an expression"),
        (TRANSFORMS, "$[os.system('touch canary')]", "is an expression"),
        ("preprocessing", "$exec('')", "is an expression"),
        ("inferer#_target_", "SimpleInferer", "expected SlidingWindowInferer"),
        ("inferer#roi_size", [32, 32], "expected three sizes"),
        ("inferer#roi_size", "$@patch", "is an expression"),
        ("inferer#padding_mode", "reflect", "not understood"),
        ("inferer#overlap", [0.5, 0.5, 0.25], "the same along each axis"),
        ("inferer#overlap", 1.5, "expected an overlap"),
        ("postprocessing#transforms#0#_target_", "Lambdad", "changes the answer"),
        ("postprocessing#transforms#0#other", "$lambda x: x", "other=.*is an expression|other is"),
        ("postprocessing#transforms#2", {"_target_": "Ensured"}, "is Ensured"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    value: Any,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "system", lambda command: (tmp_path / "canary").touch())

    with pytest.raises(ModelError, match=message):
        import_bundle(bundle(_with(path, value)), tmp_path / "model", settings={})

    assert not (tmp_path / "canary").exists()
    assert not (tmp_path / "model").exists()


def test_old_arguments_of_swin_unetr_are_left_out(bundle: Bundle, tmp_path: Path) -> None:
    definition = {"in_channels": 1, "out_channels": 3, "feature_size": 12}
    config = _with("network_def", {"_target_": "SwinUNETR", "img_size": 96, **definition})
    path = bundle(config, network=nets.SwinUNETR(**definition))

    model = import_bundle(path, tmp_path / "model", settings={})

    assert (model.network, dict(model.arguments)) == ("SwinUNETR", definition)


def test_heads_of_deep_supervision_are_dropped(bundle: Bundle, tmp_path: Path) -> None:
    definition = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3, "filters": [4, 6, 8, 8]}
    definition |= {"kernel_size": [3] * 4, "strides": [1, 2, 2, 2]}
    definition |= {"upsample_kernel_size": [2] * 3}
    supervised = {"deep_supervision": True, "deep_supr_num": 2}
    network = nets.DynUNet(**definition, **supervised).eval()
    path = bundle(
        _with("network_def", {"_target_": "DynUNet", **definition, **supervised}), network=network
    )

    model = import_bundle(path, tmp_path / "model", settings={})

    values = torch.randn(1, 1, 16, 16, 16)
    with torch.inference_mode():
        assert torch.equal(load_network(model)(values), network(values))


def test_a_network_that_leaves_its_ends_to_monai_has_monais(bundle: Bundle, tmp_path: Path) -> None:
    config = _with("network_def", {"_target_": "VNet"})
    config["postprocessing"]["transforms"] = [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
    ]
    model = import_bundle(
        bundle(config, labels=("lump",), network=nets.VNet()), tmp_path / "model", settings={}
    )

    assert (model.channels, model.classes) == (1, 1)


def test_steps_of_every_channel_and_regions_are_understood(bundle: Bundle, tmp_path: Path) -> None:
    definition = {"in_channels": 4, "out_channels": 2, "init_filters": 8}
    config = _with("network_def", {"_target_": "monai.networks.nets.SegResNet", **definition})
    config["preprocessing"] = [
        {"_target_": "monai.transforms.Orientationd", "axcodes": "LPS", "keys": "image"},
        {
            "_target_": "NormalizeIntensityd",
            "keys": "image",
            "nonzero": True,
            "channel_wise": True,
        },
        {"_target_": "Lambdad", "_disabled_": True, "func": "$lambda x: x"},
    ]
    config["postprocessing"]["transforms"] = [
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
        {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
        {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [2]},
    ]
    path = bundle(config, labels=("whole", "core"), network=nets.SegResNet(**definition))

    model = import_bundle(path, tmp_path / "model", settings={})

    assert model.activation == "sigmoid"
    assert [each.category.name for each in model.structures] == ["whole", "core"]
    assert [each.single for each in model.structures] == [False, True]
    assert model.inputs == tuple((channel, (ZScore(nonzero=True),)) for channel in range(4))
    assert model.sampling.orientation == "LPS"
    assert model.sampling.spacing_mm == (None, None, None)


def test_steps_before_the_sampling_stay_before_it(bundle: Bundle, tmp_path: Path) -> None:
    config = _config()
    transforms = config["preprocessing"]["transforms"]
    transforms.insert(0, transforms.pop(4))
    model = import_bundle(bundle(config), tmp_path / "model", settings={})
    assert model.sampling.normalise == "before"

    transforms.append({"_target_": "ScaleIntensityd", "keys": "image"})
    with pytest.raises(ModelError, match="expected all on one side"):
        read_before(Config(config, {}), 1)


def test_a_crop_is_passed_over_unless_later_steps_look_at_the_whole_image() -> None:
    crop = {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"}
    scale = {"_target_": "ScaleIntensityd", "keys": "image"}

    assert read_before(Config({"preprocessing": [scale, crop]}, {}), 1).steps == [[MinMax()]]
    with pytest.raises(ModelError, match="that CropForeground left"):
        read_before(Config({"preprocessing": [crop, scale]}, {}), 1)


def test_a_bundle_without_orientation_needs_one_by_hand(bundle: Bundle, tmp_path: Path) -> None:
    config = _config()
    del config["preprocessing"]["transforms"][2]
    path = bundle(config)

    with pytest.raises(ModelError, match="--set orientation=RAS"):
        import_bundle(path, tmp_path / "model", settings={})
    model = import_bundle(path, tmp_path / "model", settings={"orientation": "LPS"})
    assert model.sampling.orientation == "LPS"


def test_a_setting_without_effect_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="the setting pixdmi has no effect"):
        import_bundle(bundle(), tmp_path / "model", settings={"pixdmi": [1, 1, 1]})


def test_labels_that_do_not_fit_the_network_are_asked_for(bundle: Bundle, tmp_path: Path) -> None:
    path = bundle(labels=("background", "spleen"))

    with pytest.raises(ModelError, match=r"expected names for 2 labels.*--set labels="):
        import_bundle(path, tmp_path / "model", settings={})


class _Canary:
    """Pickled, it would touch a file where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def _damage(folder: Path, kind: str, canary: Path) -> None:
    weights = folder / "models" / "model.pt"
    state = torch.load(weights, weights_only=True)
    if kind == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif kind == "empty":
        weights.write_bytes(b"")
    elif kind == "code in the checkpoint":
        torch.save({"model": state, "extra": _Canary(canary)}, weights)
    elif kind == "a plain pickle with code":
        weights.write_bytes(pickle.dumps(_Canary(canary)))
    elif kind == "no weights":
        torch.save({"epoch": 3}, weights)
    elif kind == "another type":
        torch.save([1, 2, 3], weights)
    elif kind == "wrong shapes":
        torch.save(
            {name: value.repeat(2) if value.ndim == 1 else value for name, value in state.items()},
            weights,
        )
    elif kind == "another network":
        torch.save({f"x.{name}": value for name, value in state.items()}, weights)
    elif kind == "not finite":
        torch.save({name: value * float("nan") for name, value in state.items()}, weights)
    elif kind == "TorchScript":
        with zipfile.ZipFile(weights, "w") as archive:
            archive.writestr("model/code/__torch__.py", "import os")
            archive.writestr("model/data.pkl", b"")
    elif kind == "packed":
        with zipfile.ZipFile(weights, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("model/data.pkl", bytes(1 << 20))
    elif kind == "deeply nested configuration":
        (folder / "configs" / "inference.json").write_text("[" * 100_000)
    elif kind == "no JSON":
        (folder / "configs" / "metadata.json").write_text("{")
    elif kind == "a link for weights":
        weights.rename(canary.with_suffix(".pt"))
        weights.symlink_to(canary.with_suffix(".pt"))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "no checkpoint, or a truncated one"),
        ("empty", "no checkpoint, or a truncated one"),
        ("code in the checkpoint", r"names (posix|os)\.system.*nothing of it was run"),
        ("a plain pickle with code", "no checkpoint"),
        ("no weights", "holds no weights by their names"),
        ("another type", "holds no weights by their names"),
        ("wrong shapes", r"has shape \(.*expected"),
        ("another network", r"lacks .* and has x\."),
        ("not finite", "not finite"),
        ("TorchScript", "is TorchScript, which is code"),
        ("packed", "is packed"),
        ("deeply nested configuration", "is not JSON"),
        ("no JSON", "is not JSON"),
        ("a link for weights", "has no models/model.pt"),
    ],
)
def test_broken_and_hostile_bundles_are_refused(
    bundle: Bundle, tmp_path: Path, kind: str, message: str
) -> None:
    path = bundle()
    canary = tmp_path / "canary"
    _damage(path, kind, canary)

    with pytest.raises(ModelError, match=message):
        import_bundle(path, tmp_path / "model", settings={})

    assert not canary.exists()
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil.json", "a\\..\\..\\evil.json"])
def test_a_zip_that_leaves_its_folder_is_refused(bundle: Bundle, tmp_path: Path, name: str) -> None:
    path = _zipped(bundle())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), "{}")

    with pytest.raises(UploadError):
        import_bundle(path, tmp_path / "model", settings={})


def test_yaml_with_tags_or_aliases_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    path = bundle(form="yaml") / "configs" / "inference.yaml"
    text = path.read_text()
    for extra, message in (
        (f"x: !!python/object/apply:os.system ['touch {tmp_path}/canary']\n", "not plain YAML"),
        ("a: &a [1]\nb: *a\n", "has aliases"),
    ):
        path.write_text(text + extra)
        with pytest.raises(ModelError, match=message):
            import_bundle(path.parents[1], tmp_path / "model", settings={})

    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("path", ["", "nothing", "file.txt"])
def test_what_is_no_bundle_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file.txt").write_text("x")

    with pytest.raises(DelineateError, match=r"no MONAI bundle|there is no|neither a folder"):
        import_bundle(tmp_path / path, tmp_path / "model", settings={})
