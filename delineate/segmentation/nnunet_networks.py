"""The two U-Nets of nnU-Net, in plain torch.

Layers have the names, and give the numbers, of the package `dynamic_network_architectures`
(Apache-2.0) that nnU-Net [1]_ builds its networks with, so that its checkpoints fit; the blocks of
the residual encoder are those of ResNet-D [2]_. The code is our own. Left out is what inference
does not need: the heads of deep supervision but the last, dropout, and the second names that the
same weights have in a checkpoint (see `single_names`).

References
----------
.. [1] Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
   segmentation", Nature Methods 18, 2021, doi:10.1038/s41592-020-01008-z
.. [2] He et al., "Bag of tricks for image classification with convolutional neural networks",
   CVPR 2019, arXiv:1812.01187
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from delineate.segmentation.nnunet_blocks import Decoder, Encoder, ResidualStack, Stack, Style

__all__ = ["PlainConvUNet", "ResidualEncoderUNet", "single_names"]

Sizes = Sequence[int | Sequence[int]]


class _UNet(nn.Module):
    encoder: Encoder
    decoder: Decoder

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits ``(sample, class, *space)`` of ``(sample, channel, *space)``."""
        logits: torch.Tensor = self.decoder(self.encoder(inputs))
        return logits


class PlainConvUNet(_UNet):
    """nnU-Net's default network: stages of plain convolutions.

    Parameters
    ----------
    dimensions
        2 or 3.
    input_channels, num_classes
        Channels of input and output.
    features_per_stage
        Channels of every stage, finest first; as many as there are stages.
    kernel_sizes, strides
        For every stage one number, or one for each axis; the stride comes before the stage.
    n_conv_per_stage, n_conv_per_stage_decoder
        Convolutions of each stage; of the decoder, coarsest first, one stage fewer.
    conv_bias, norm, norm_eps, affine, nonlin, negative_slope, nonlin_first
        Of all convolutions: ``norm`` is ``"instance"``, ``"batch"`` or ``None``, ``nonlin`` is
        ``"leakyrelu"`` or ``"relu"``; ``nonlin_first`` puts it before the norm.
    """

    def __init__(
        self,
        *,
        dimensions: int,
        input_channels: int,
        num_classes: int,
        features_per_stage: Sequence[int],
        kernel_sizes: Sizes,
        strides: Sizes,
        n_conv_per_stage: Sequence[int],
        n_conv_per_stage_decoder: Sequence[int],
        conv_bias: bool = True,
        norm: Literal["instance", "batch"] | None = "instance",
        norm_eps: float = 1e-5,
        affine: bool = True,
        nonlin: Literal["leakyrelu", "relu"] = "leakyrelu",
        negative_slope: float = 0.01,
        nonlin_first: bool = False,
    ) -> None:
        super().__init__()
        style = Style(
            dimensions=dimensions,
            bias=conv_bias,
            norm=norm,
            norm_eps=norm_eps,
            affine=affine,
            nonlin=nonlin,
            negative_slope=negative_slope,
            nonlin_first=nonlin_first,
        )
        kernels = [style.each_axis(size) for size in kernel_sizes]
        steps = [style.each_axis(size) for size in strides]
        pairs = list(pairwise((input_channels, *features_per_stage)))
        stages = [
            nn.Sequential(Stack(style, count, channels, kernel, step))
            for count, kernel, step, channels in zip(
                n_conv_per_stage, kernels, steps, pairs, strict=True
            )
        ]
        self.encoder = Encoder(stages)
        self.decoder = Decoder(
            style, features_per_stage, kernels, steps, n_conv_per_stage_decoder, num_classes
        )


class ResidualEncoderUNet(_UNet):
    """nnU-Net's larger network: residual blocks on the way down, convolutions on the way up.

    Parameters
    ----------
    n_blocks_per_stage
        Residual blocks of each stage.
    stem_channels
        Of the convolution before the first stage; by default those of the first stage.
    dimensions, input_channels, num_classes, features_per_stage, kernel_sizes, strides
        As of `PlainConvUNet`, as are all others.
    """

    def __init__(
        self,
        *,
        dimensions: int,
        input_channels: int,
        num_classes: int,
        features_per_stage: Sequence[int],
        kernel_sizes: Sizes,
        strides: Sizes,
        n_blocks_per_stage: Sequence[int],
        n_conv_per_stage_decoder: Sequence[int],
        stem_channels: int | None = None,
        conv_bias: bool = True,
        norm: Literal["instance", "batch"] | None = "instance",
        norm_eps: float = 1e-5,
        affine: bool = True,
        nonlin: Literal["leakyrelu", "relu"] = "leakyrelu",
        negative_slope: float = 0.01,
    ) -> None:
        super().__init__()
        style = Style(
            dimensions=dimensions,
            bias=conv_bias,
            norm=norm,
            norm_eps=norm_eps,
            affine=affine,
            nonlin=nonlin,
            negative_slope=negative_slope,
        )
        kernels = [style.each_axis(size) for size in kernel_sizes]
        steps = [style.each_axis(size) for size in strides]
        first = stem_channels or features_per_stage[0]
        pairs = list(pairwise((first, *features_per_stage)))
        stem = Stack(style, 1, (input_channels, first), kernels[0], style.each_axis(1))
        stages = [
            ResidualStack(style, count, channels, kernel, step)
            for count, kernel, step, channels in zip(
                n_blocks_per_stage, kernels, steps, pairs, strict=True
            )
        ]
        self.encoder = Encoder(stages, stem)
        self.decoder = Decoder(
            style, features_per_stage, kernels, steps, n_conv_per_stage_decoder, num_classes
        )


def single_names(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint of nnU-Net, each once and under the name that it has here.

    Dropped are second names of the same weights (``all_modules``, the encoder within the decoder)
    and the heads of deep supervision but the last; prefixes of parallel or compiled networks go.

    Raises
    ------
    ValueError
        If two names of one weight have different values: the file is not of nnU-Net's making.
    """
    plain = {name.removeprefix("module.").removeprefix("_orig_mod."): name for name in state}
    heads = [name.split(".")[2] for name in plain if name.startswith("decoder.seg_layers.")]
    last = max((int(head) for head in heads if head.isdecimal()), default=0)
    kept: dict[str, torch.Tensor] = {}
    for name, found in plain.items():
        if name.startswith("decoder.encoder."):
            twin = plain.get(name.removeprefix("decoder."))
            if twin is not None and not torch.equal(state[twin], state[found]):
                raise ValueError(f"{found} and {twin} are one weight, but differ")
        elif ".all_modules." not in name and (
            not name.startswith("decoder.seg_layers.")
            or name.startswith(f"decoder.seg_layers.{last}.")
        ):
            kept[name] = state[found]
    return kept
