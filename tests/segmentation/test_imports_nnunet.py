"""Result folders of nnU-Net become model folders that give nnU-Net's own numbers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import nnunet_results as nnunet
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.errors import ModelError, OptionError
from delineate.segmentation.imports.nnunet import import_folder
from delineate.segmentation.imports.nnunet_labels import read_labels
from delineate.segmentation.imports.nnunet_plans import read_plans
from delineate.segmentation.intensity import Affine, Clip, MinMax, ZScore
from delineate.segmentation.model_file import read_model
from delineate.segmentation.networks import build_network
from delineate.segmentation.weights import load_network

pytest.importorskip("nnunetv2", reason="nnU-Net, which writes these folders, is not installed")

SAR = {"orientation": "SAR"}


def _read(described: dict[str, Any], dataset: dict[str, Any] | None = None, **settings: Any) -> Any:
    plan = nnunet.plans(**{"3d_fullres": described})
    return read_plans(plan, dataset or nnunet.DATASET, "3d_fullres", {**SAR, **settings})


@pytest.mark.parametrize("kind", ["PlainConvUNet", "ResidualEncoderUNet"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_result_folder_gives_the_logits_of_nnunets_predictor(
    tmp_path: Path, kind: str, dimensions: int
) -> None:
    name = "2d" if dimensions == 2 else "3d_fullres"
    plan = nnunet.plans(**{name: nnunet.configuration(dimensions, kind)})
    folder = nnunet.result(tmp_path, plan, name, mirror=(0, 1))

    import_folder(folder, tmp_path / "model", settings=SAR)

    model = read_model(tmp_path / "model")
    network = load_network(model)
    tile = torch.randn(1, 1, *model.tiles.shape)
    expected = nnunet.predicted(folder, tile[:, :, 0] if dimensions == 2 else tile)
    with torch.inference_mode():
        got = network(tile)[:, :, 0] if dimensions == 2 else network(tile)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    assert model.mirror == ((1, 2) if dimensions == 2 else (0, 1))
    assert model.tiles.shape == ((1, 16, 24) if dimensions == 2 else (8, 16, 24))
    assert model.sampling.spacing_mm == (None if dimensions == 2 else 3.0, 1.5, 1.25)


def test_everything_else_is_as_nnunet_does_it(tmp_path: Path) -> None:
    plan = nnunet.plans(**{"3d_fullres": nnunet.configuration()})
    nnunet.result(tmp_path / "Dataset900_Lumps", plan)
    packed = shutil.make_archive(str(tmp_path / "export"), "zip", tmp_path, "Dataset900_Lumps")

    model = import_folder(Path(packed), tmp_path / "model", settings=SAR)

    assert model.name == "dataset900-lumps-3d-fullres"
    assert (model.licence, model.modality) == ("CC-BY-4.0", "CT")
    assert (model.sampling.orientation, model.sampling.fit) == ("SAR", "faces")
    assert (model.sampling.method, model.sampling.nearest_beyond) == ("cubic", 3.0)
    assert (model.sampling.crop, model.sampling.normalise) == ("nonzero", "before")
    assert (model.tiles.placement, model.tiles.overlap) == ("even", 0.5)
    assert (model.tiles.weight, model.tiles.padding) == ("nnunet", "zero")
    assert model.inputs == ((0, (Clip(-40, 190), Affine(90.5, 21))),)
    assert model.mirror == (0, 1, 2)
    assert [each.category.name for each in model.structures] == ["spleen", "mystery lump"]
    assert model.structures[0].category.code is not None


def test_folds_are_an_ensemble_of_all_or_of_those_chosen(tmp_path: Path) -> None:
    plan = nnunet.plans(**{"3d_fullres": nnunet.configuration()})
    folder = nnunet.result(tmp_path, plan, folds=(0, 1, 3, "all"))
    every = import_folder(folder, tmp_path / "every", settings=SAR)
    one = import_folder(folder, tmp_path / "one", settings={**SAR, "folds": 3})

    assert (len(every.weights), len(one.weights)) == (3, 1)
    assert one.weights[0].sha256 == every.weights[2].sha256
    tile = torch.randn(1, 1, *every.tiles.shape)
    with torch.inference_mode():
        got = load_network(every)(tile)
    expected = nnunet.predicted(folder, tile, (0, 1, 3))
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ModelError, match=r"checkpoint_final.pth of fold 4; found 0, 1, 3, all"):
        import_folder(folder, tmp_path / "none", settings={**SAR, "folds": [0, 4]})


@pytest.mark.parametrize("kind", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_plans_of_the_first_nnunet_2_mean_the_same(kind: str) -> None:
    new, then = nnunet.configuration(kind=kind), nnunet.configuration(kind=kind)
    new["architecture"]["arch_kwargs"]["features_per_stage"] = [4, 8, 8]
    defaults = {"conv_bias": True, "norm": "instance", "norm_eps": 1e-5, "affine": True}
    defaults |= {"nonlin": "leakyrelu", "negative_slope": 0.01}
    defaults |= {"nonlin_first": False} if kind == "PlainConvUNet" else {"stem_channels": None}

    today, earlier = _read(new), _read(nnunet.old(then))

    assert today.network == earlier.network == kind
    assert dict(today.arguments) == defaults | dict(earlier.arguments)


def test_an_old_result_folder_gives_the_logits_of_nnunets_predictor(tmp_path: Path) -> None:
    plan = nnunet.plans(**{"3d_fullres": nnunet.old(nnunet.configuration())})
    folder = nnunet.result(tmp_path, plan)

    model = import_folder(folder, tmp_path / "model", settings=SAR)

    tile = torch.randn(1, 1, *model.tiles.shape)
    with torch.inference_mode():
        got = load_network(model)(tile)
    torch.testing.assert_close(got, nnunet.predicted(folder, tile), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("given", ["both", "upper", "apart"])
def test_a_cascade_brings_its_lower_stage(tmp_path: Path, given: str) -> None:
    plan = nnunet.plans(
        **{
            "3d_lowres": nnunet.configuration(
                spacing=[6.0, 3.0, 2.5], next_stage="3d_cascade_fullres"
            ),
            "3d_fullres": nnunet.configuration(),
            "3d_cascade_fullres": {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"},
        }
    )
    parent = tmp_path / "Dataset900_Lumps"
    upper = nnunet.result(parent, plan, "3d_cascade_fullres")
    lower = nnunet.result(parent, plan, "3d_lowres")
    settings: dict[str, Any] = dict(SAR)
    if given == "apart":
        lower = lower.rename(tmp_path / "elsewhere")
        with pytest.raises(ModelError, match="upper stage of a cascade"):
            import_folder(upper, tmp_path / "model", settings=SAR)
        settings["previous"] = str(lower)

    import_folder(parent if given == "both" else upper, tmp_path / "model", settings=settings)

    model = read_model(tmp_path / "model")
    assert model.previous is not None
    assert model.previous.sampling.spacing_mm == (6.0, 3.0, 2.5)
    assert model.channels == 3
    tile = torch.randn(1, 3, *model.tiles.shape)
    with torch.inference_mode():
        got = load_network(model)(tile)
    torch.testing.assert_close(got, nnunet.predicted(upper, tile), rtol=1e-5, atol=1e-5)


def test_one_of_several_configurations_is_chosen(tmp_path: Path) -> None:
    described = {"2d": nnunet.configuration(2), "3d_fullres": nnunet.configuration()}
    plan = nnunet.plans(**described)
    for name in described:
        nnunet.result(tmp_path / "all", plan, name, mirror=None)

    with pytest.raises(ModelError, match="choose one: --set configuration="):
        import_folder(tmp_path / "all", tmp_path / "model", settings=SAR)
    model = import_folder(
        tmp_path / "all", tmp_path / "model", settings={**SAR, "configuration": "2d"}
    )

    assert (model.dimensions, model.mirror) == (2, ())


def test_axes_that_the_plan_swaps_are_swapped_in_the_orientation() -> None:
    plan = nnunet.plans(**{"3d_fullres": nnunet.configuration()})
    plan["transpose_forward"] = [2, 0, 1]

    read = read_plans(plan, nnunet.DATASET, "3d_fullres", {"orientation": "SPL"})

    assert read.sampling.orientation == "LSP"
    assert read.sampling.spacing_mm == (3.0, 1.5, 1.25)  # plans have them swapped already
    assert read.patch == (8, 16, 24)


@pytest.mark.parametrize(
    ("reader", "dataset_name", "expected"),
    [
        ("NibabelIOWithReorient", "Dataset900_Lumps", "SAR"),
        ("SimpleITKIO", "Dataset291_TotalSegmentator_part1_organs_1559subj", "SAR"),
        ("NaturalImage2DIO", "Dataset120_RoadSegmentation", ""),
    ],
)
def test_an_orientation_that_can_be_known_is_known(
    reader: str, dataset_name: str, expected: str
) -> None:
    plan = nnunet.plans(**{"2d": nnunet.configuration(2)})
    plan |= {"image_reader_writer": reader, "dataset_name": dataset_name}

    assert read_plans(plan, nnunet.DATASET, "2d", {}).sampling.orientation == expected


def test_an_orientation_that_cannot_be_known_is_asked_for() -> None:
    plan = nnunet.plans(**{"3d_fullres": nnunet.configuration()})

    with pytest.raises(ModelError, match="--set orientation=SPL for files made of DICOM"):
        read_plans(plan, nnunet.DATASET, "3d_fullres", {})


@pytest.mark.parametrize(
    ("scheme", "mask", "steps"),
    [
        ("ZScoreNormalization", False, (ZScore(),)),
        ("ZScoreNormalization", True, (ZScore(nonzero=True),)),
        ("NoNormalization", False, ()),
        ("RescaleTo01Normalization", False, (MinMax(0, 1),)),
        ("RGBTo01Normalization", False, (Affine(0, 255),)),
    ],
)
def test_schemes_of_normalisation_become_steps(
    scheme: str, mask: bool, steps: tuple[Any, ...]
) -> None:
    described = nnunet.configuration(normalization_schemes=[scheme], use_mask_for_norm=[mask])

    assert _read(described, mask="nonzero").steps == (steps,)


def test_a_mask_whose_holes_are_filled_is_only_replaced_when_asked() -> None:
    described = nnunet.configuration(
        normalization_schemes=["ZScoreNormalization"], use_mask_for_norm=[True]
    )

    with pytest.raises(ModelError, match="accept that with --set mask=nonzero"):
        _read(described)


def test_regions_overrule_each_other_in_their_order(tmp_path: Path) -> None:
    dataset = nnunet.DATASET | {
        "channel_names": {"0": "T1", "1": "T2"},
        "labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "rim": 3, "ignore": 4},
        "regions_class_order": [1, 3, 2],
    }
    described = nnunet.configuration(
        normalization_schemes=["ZScoreNormalization"] * 2, use_mask_for_norm=[False] * 2
    )
    folder = nnunet.result(tmp_path, nnunet.plans(**{"3d_fullres": described}), dataset=dataset)

    model = import_folder(folder, tmp_path / "model", settings=SAR)

    assert (model.activation, model.outputs, model.modality) == ("sigmoid", (1, 3, 2), "MR")
    assert [each.category.name for each in model.structures] == ["whole", "rim", "core"]
    tile = torch.randn(1, 2, *model.tiles.shape)
    with torch.inference_mode():
        got = load_network(model)(tile)
    torch.testing.assert_close(got, nnunet.predicted(folder, tile), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "more", "message"),
    [
        ({"background": 0, "a": 1, "b": 3}, {}, "without gaps"),
        ({"a": 1}, {}, "with background 0"),
        ([], {}, "with background 0"),
        ({"background": 0, "a": "1"}, {}, "whole number for label a"),
        ({"background": 0, "a": [1, 2], "b": 2}, {}, "expected regions_class_order"),
        ({"background": 0, "a": [1, 2]}, {"regions_class_order": ["x"]}, "regions_class_order"),
    ],
)
def test_labels_that_make_no_sense_are_refused(
    labels: Any, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        read_labels({"labels": labels, **more})


def test_the_ignore_label_is_dropped() -> None:
    labels = read_labels({"labels": {"background": 0, "b": 2, "a": 1, "ignore": 3}})

    assert (labels.names, labels.activation) == (("a", "b"), "softmax")


def _architecture(**changes: Any) -> dict[str, Any]:
    described = nnunet.configuration()
    described["architecture"]["arch_kwargs"] |= changes
    return described


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (nnunet.old(nnunet.configuration()) | {"UNet_class_name": "Primus"}, "network Primus"),
        (nnunet.configuration(architecture=None), "TypeError"),
        (_architecture(conv_op="os.system"), "the layers system"),
        (_architecture(norm_op="torch.nn.LayerNorm"), "the layers .*LayerNorm"),
        (_architecture(nonlin="builtins.exec"), "the layers .*exec"),
        (_architecture(block="os.system"), "has block, which is not understood"),
        (_architecture(n_stages=10**9), "expected 2 to 20 stages"),
        (_architecture(nonlin_kwargs={"slope": 1}), "slope of norm or activation"),
        (nnunet.configuration(preprocessor_name="Mine"), "the preprocessor Mine"),
        (nnunet.configuration(patch_size=[8]), "expected 2 or 3 axes"),
        (nnunet.configuration(normalization_schemes=["os.system"]), "the normalisation system"),
        (nnunet.configuration(normalization_schemes=[]), "expected 1 normalization_schemes"),
        (nnunet.configuration(resampling_fn_data="resample_torch"), "resampled by resample_torch"),
        (nnunet.configuration(spacing=["x", 1, 1]), "ValueError"),
        (nnunet.configuration(spacing=[1, 0, 1]), "three positive spacings"),
        ({"inherits_from": "3d_fullres"}, "inherits from itself"),
        ({"inherits_from": "4d"}, "no configuration 4d"),
        ({}, "KeyError"),
        ([], "Error"),
    ],
)
def test_plans_that_are_not_understood_are_refused(described: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        _read(described)


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(
        [
            *("configurations", "transpose_forward", "image_reader_writer"),
            "foreground_intensity_properties_per_channel",
            *(f"configurations/3d_fullres/{key}" for key in nnunet.configuration()),
            *(
                f"configurations/3d_fullres/architecture/arch_kwargs/{key}"
                for key in nnunet.architecture()["arch_kwargs"]
            ),
        ]
    ),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("0"), inner),
        max_leaves=4,
    ),
)
def test_whatever_plans_say_they_are_read_or_refused_in_words(path: str, value: Any) -> None:
    plan = nnunet.plans(**{"3d_fullres": nnunet.configuration()})
    *before, last = path.split("/")
    place: Any = plan
    for part in before:
        place = place[part]
    place[last] = value

    with contextlib.suppress(ModelError):
        read = read_plans(plan, nnunet.DATASET, "3d_fullres", SAR)
        ends = {"input_channels": 1, "num_classes": 3}
        build_network(read.network, {**read.arguments, **ends})


def test_a_network_of_somebody_else_is_refused_by_name() -> None:
    described = nnunet.configuration()
    described["architecture"]["network_class_name"] = "somebody.networks.UMamba"

    with pytest.raises(ModelError, match="the network UMamba is not understood"):
        _read(described)


class _Canary:
    """Pickled, it would touch a file where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("code", r"names (posix|os)\.system.*nothing of it was run"),
        ("truncated", "truncated"),
        ("not nnU-Net's", "no checkpoint of nnU-Net v2"),
        ("no weights", "holds no weights"),
        ("another width", "has shape"),
        ("strange heads", r"too many|lacks decoder\.seg_layers"),
        ("an object", r"names numpy\._core\.multiarray\._reconstruct"),
        ("a number that is none", "is damaged: .*expected a number of numpy"),
    ],
)
def test_broken_and_hostile_checkpoints_are_refused(
    tmp_path: Path, kind: str, message: str
) -> None:
    plan = nnunet.plans(**{"3d_fullres": nnunet.configuration()})
    folder = nnunet.result(tmp_path, plan)
    path, canary = folder / "fold_0" / "checkpoint_final.pth", tmp_path / "canary"
    content = torch.load(path, weights_only=False)  # made here
    weights = content["network_weights"]
    if kind == "code":
        content["logging"] = _Canary(canary)
    elif kind == "not nnU-Net's":
        content = weights
    elif kind == "no weights":
        content["network_weights"] = {"x": 1}
    elif kind == "another width":
        plan["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"][
            "features_per_stage"
        ] = [6, 6, 8]
        (folder / "plans.json").write_text(json.dumps(plan))
    elif kind == "strange heads":
        content["network_weights"] = {**weights, "decoder.seg_layers.9.weight": torch.zeros(1)}
    elif kind == "an object":
        content["logging"] = np.array([1, "x"], dtype=object)
    elif kind == "a number that is none":
        content["logging"] = np.datetime64("2026-01-01")
    torch.save(content, path)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:2000])

    with pytest.raises(ModelError, match=message):
        import_folder(folder, tmp_path / "model", settings=SAR)

    assert not canary.exists()
    assert not (tmp_path / "model").exists()


def test_a_setting_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no setting fold; there are"):
        import_folder(tmp_path, tmp_path / "model", settings={"fold": 0})


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no result folder of nnU-Net v2"):
        import_folder(tmp_path, tmp_path / "model", settings={})
