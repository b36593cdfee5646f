"""Networks made of networks: ensembles, flips, slices, other orders of axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import nn

__all__ = ["Mean", "Mirrored", "Permuted", "Slicewise"]


class Mean(nn.Module):
    """The mean of the logits of several networks."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Mean over the members."""
        total = self.members[0](inputs)
        for member in self.members[1:]:
            total = total + member(inputs)
        mean: torch.Tensor = total / len(self.members)
        return mean


class Mirrored(nn.Module):
    """The mean over all flips along some axes, and how far the flips agree.

    One more channel comes last: the share of flips whose largest class is that of the mean.
    """

    def __init__(self, network: nn.Module, axes: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.flips = tuple(
            tuple(2 + axis for axis in chosen)
            for count in range(len(axes) + 1)
            for chosen in combinations(sorted(axes), count)
        )

    def extra_repr(self) -> str:
        """What sets it apart from others in print."""
        return f"flips={self.flips}"

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits, and the agreement from 0 to 1 as the last channel."""
        answers = []
        for axes in self.flips:
            answer = self.network(inputs.flip(axes)) if axes else self.network(inputs)
            answers.append(answer.flip(axes) if axes else answer)
        total = answers[0]
        for answer in answers[1:]:
            total = total + answer
        total = total / len(answers)
        winner = total.argmax(1, keepdim=True)
        agreeing = [(answer.argmax(1, keepdim=True) == winner).float() for answer in answers]
        share = agreeing[0]
        for each in agreeing[1:]:
            share = share + each
        return torch.cat([total, share / len(answers)], dim=1)


class Slicewise(nn.Module):
    """A network for pictures, given one slice at a time as a volume of one slice."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """``(tile, channel, 1, row, column)`` in and out."""
        logits: torch.Tensor = self.network(inputs.squeeze(2))
        return logits.unsqueeze(2)


class Permuted(nn.Module):
    """A network given its three axes in another order.

    ``order[i]`` says which axis of the tiles that come is the network's axis ``i``.
    """

    def __init__(self, network: nn.Module, order: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.order = tuple(order)
        self.back = tuple(self.order.index(axis) for axis in range(3))

    def extra_repr(self) -> str:
        """What sets it apart from others in print."""
        return f"order={self.order}"

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Tiles in the order that comes, in and out."""
        there = inputs.permute(0, 1, *(2 + axis for axis in self.order))
        logits: torch.Tensor = self.network(there)
        return logits.permute(0, 1, *(2 + axis for axis in self.back))
