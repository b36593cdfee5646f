"""Blocks of nnU-Net's networks; `nnunet_networks` says where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

__all__ = ["Decoder", "Encoder", "ResidualStack", "Stack", "Style"]

_CONVOLUTION: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_MEAN_POOL: dict[int, Any] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
_NORM: dict[str, dict[int, Any]] = {
    "instance": {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d},
    "batch": {2: nn.BatchNorm2d, 3: nn.BatchNorm3d},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What all convolutions of a network have in common."""

    dimensions: int
    bias: bool
    norm: str | None
    norm_eps: float
    affine: bool
    nonlin: str
    negative_slope: float
    nonlin_first: bool = False

    def __post_init__(self) -> None:
        if self.dimensions not in _CONVOLUTION:
            raise ValueError(f"expected dimensions 2 or 3, got {self.dimensions}")
        if self.norm is not None and self.norm not in _NORM:
            raise ValueError(f"expected norm instance, batch or null, got {self.norm!r}")
        if self.nonlin not in ("leakyrelu", "relu"):
            raise ValueError(f"expected nonlin leakyrelu or relu, got {self.nonlin!r}")

    def activation(self) -> nn.Module:
        """A new one."""
        if self.nonlin == "relu":
            return nn.ReLU(inplace=True)
        return nn.LeakyReLU(self.negative_slope, inplace=True)

    def each_axis(self, size: int | Sequence[int]) -> tuple[int, ...]:
        """The same size along every axis, if only one is given."""
        sizes = (size,) * self.dimensions if isinstance(size, int) else tuple(size)
        if len(sizes) != self.dimensions or min(sizes) < 1:
            raise ValueError(f"expected {self.dimensions} positive sizes, got {size}")
        return sizes


class Convolution(nn.Module):
    """Convolution, norm and, unless it is left out, activation."""

    def __init__(
        self,
        style: Style,
        channels: tuple[int, int],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        *,
        bias: bool | None = None,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.conv = _CONVOLUTION[style.dimensions](
            *channels,
            kernel,
            stride,
            padding=tuple((size - 1) // 2 for size in kernel),
            bias=style.bias if bias is None else bias,
        )
        self.norm: nn.Module = nn.Identity()
        if style.norm is not None:
            kind = _NORM[style.norm][style.dimensions]
            self.norm = kind(channels[1], eps=style.norm_eps, affine=style.affine)
        self.nonlin = style.activation() if active else nn.Identity()
        self.nonlin_first = style.nonlin_first and active

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """``(sample, channel, *space)`` in and out."""
        values: torch.Tensor = self.conv(inputs)
        for step in (self.nonlin, self.norm) if self.nonlin_first else (self.norm, self.nonlin):
            values = step(values)
        return values


class Stack(nn.Module):
    """Convolutions one after the other; the first one has the stride."""

    def __init__(
        self,
        style: Style,
        count: int,
        channels: tuple[int, int],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
    ) -> None:
        super().__init__()
        if count < 1:
            raise ValueError(f"expected at least one convolution a stage, got {count}")
        first = Convolution(style, channels, kernel, stride)
        pair, one = (channels[1], channels[1]), (1,) * len(kernel)
        rest = [Convolution(style, pair, kernel, one) for _ in range(count - 1)]
        self.convs = nn.Sequential(first, *rest)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """``(sample, channel, *space)`` in and out."""
        outputs: torch.Tensor = self.convs(inputs)
        return outputs


class ResidualBlock(nn.Module):
    """Two convolutions and a skip, as in ResNet-D: pooled by means, then 1 x 1 to new channels."""

    def __init__(
        self,
        style: Style,
        channels: tuple[int, int],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
    ) -> None:
        super().__init__()
        one = (1,) * len(kernel)
        self.conv1 = Convolution(style, channels, kernel, stride)
        self.conv2 = Convolution(style, (channels[1], channels[1]), kernel, one, active=False)
        self.nonlin2 = style.activation()
        skip: list[nn.Module] = []
        if stride != one:
            skip.append(_MEAN_POOL[style.dimensions](stride, stride))
        if channels[0] != channels[1]:
            skip.append(Convolution(style, channels, one, one, bias=False, active=False))
        self.skip = nn.Sequential(*skip)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """``(sample, channel, *space)`` in and out."""
        outputs: torch.Tensor = self.nonlin2(self.conv2(self.conv1(inputs)) + self.skip(inputs))
        return outputs


class ResidualStack(nn.Module):
    """Residual blocks one after the other; the first one has the stride."""

    def __init__(
        self,
        style: Style,
        count: int,
        channels: tuple[int, int],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
    ) -> None:
        super().__init__()
        if count < 1:
            raise ValueError(f"expected at least one block a stage, got {count}")
        first = ResidualBlock(style, channels, kernel, stride)
        pair, one = (channels[1], channels[1]), (1,) * len(kernel)
        rest = [ResidualBlock(style, pair, kernel, one) for _ in range(count - 1)]
        self.blocks = nn.Sequential(first, *rest)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """``(sample, channel, *space)`` in and out."""
        outputs: torch.Tensor = self.blocks(inputs)
        return outputs


class Encoder(nn.Module):
    """Stages of falling resolution, behind a stem if there is one."""

    def __init__(self, stages: Sequence[nn.Module], stem: nn.Module | None = None) -> None:
        super().__init__()
        if stem is not None:
            self.stem = stem
        self.has_stem = stem is not None
        self.stages = nn.Sequential(*stages)

    def forward(self, inputs: torch.Tensor) -> list[torch.Tensor]:
        """What every stage gives, finest first."""
        values = self.stem(inputs) if self.has_stem else inputs
        outputs = []
        for stage in self.stages:
            values = stage(values)
            outputs.append(values)
        return outputs


class Decoder(nn.Module):
    """Back to the finest resolution, the encoder's stages alongside; then one head."""

    def __init__(
        self,
        style: Style,
        features: Sequence[int],
        kernels: Sequence[tuple[int, ...]],
        strides: Sequence[tuple[int, ...]],
        counts: Sequence[int],
        classes: int,
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        upwards: list[nn.Module] = []
        for level, count in zip(range(len(features) - 1, 0, -1), counts, strict=True):
            above, stride = features[level - 1], strides[level]
            transposed = _TRANSPOSED[style.dimensions]
            upwards.append(transposed(features[level], above, stride, stride, bias=style.bias))
            kernel = kernels[level - 1]
            stages.append(Stack(style, count, (2 * above, above), kernel, (1,) * len(kernel)))
        self.stages = nn.ModuleList(stages)
        self.transpconvs = nn.ModuleList(upwards)
        head = _CONVOLUTION[style.dimensions](features[0], classes, 1)
        self.last = str(len(features) - 2)  # the number that nnU-Net's finest head has
        self.seg_layers = nn.ModuleDict({self.last: head})

    def forward(self, skips: list[torch.Tensor]) -> torch.Tensor:
        """Logits from the encoder's outputs, finest first."""
        values = skips[-1]
        for number, (up, stage) in enumerate(zip(self.transpconvs, self.stages, strict=True), 2):
            values = stage(torch.cat((up(values), skips[-number]), dim=1))
        logits: torch.Tensor = self.seg_layers[self.last](values)
        return logits
