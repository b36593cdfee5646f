"""Try a backend on one tile: how fast it is, and whether it says what torch says."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import nn

from delineate.segmentation.backends.builders import Task, build
from delineate.segmentation.backends.protocol import Backend
from delineate.segmentation.wrappers import Mirrored

__all__ = [
    "LEAST_AGREEMENT",
    "LEAST_VARIETY",
    "MOST_DIFFERENCE",
    "Trial",
    "first_line",
    "lacks_memory",
    "logits_only",
    "measure",
    "smooth_noise",
    "try_out",
    "variety",
]

LEAST_AGREEMENT = 0.999
"""Share of a probe's samples that must get the same class as from the reference."""

MOST_DIFFERENCE = 0.1
"""Of any logit from the reference, in standard deviations of the reference's logits."""

LEAST_VARIETY = 0.02
"""Share of a probe's samples outside of its largest class, for it to tell good from bad."""

_ROUNDS = 3
_LONG_S = 5.0  # after which a second round tells nothing new


@dataclass(frozen=True, slots=True)
class Trial:
    """How a backend did on the probe.

    Parameters
    ----------
    seconds
        For one tile; ``None`` if it was not measured.
    agreement
        Share of samples with the reference's class; ``None`` if not measured.
    refused
        Why it cannot be taken; empty if it can.
    """

    seconds: float | None = None
    agreement: float | None = None
    refused: str = ""


def try_out(
    name: str, task: Task, probe: torch.Tensor, expected: torch.Tensor, regions: bool
) -> tuple[Backend | None, Trial]:
    """Make a backend and compare it with the reference.

    Parameters
    ----------
    name, task
        Which, and for what.
    probe
        A tile.
    expected
        The reference's logits of it.
    regions
        Whether outputs are told apart by their signs.

    Returns
    -------
    tuple
        The backend, ``None`` if it fails or disagrees; and how it did.

    Raises
    ------
    OutOfMemoryError, MemoryError, RuntimeError
        If there is too little memory, which is no fault of the backend.
    """
    try:
        backend = build(name, task)
        seconds, found = measure(backend, probe)
    except Exception as error:  # whatever a compiler raises: the others remain
        if lacks_memory(error):
            raise
        return None, Trial(refused=f"failed: {first_line(error)}")
    agreement, difference = _compare(expected, logits_only(task.network(), found), regions)
    refused = ""
    if not agreement >= LEAST_AGREEMENT:
        refused = f"agrees with torch in {agreement:.4%} of samples only"
    elif not difference <= MOST_DIFFERENCE:
        refused = f"logits differ by {difference:.3g} of their spread"
    return (None if refused else backend), Trial(seconds, agreement, refused)


def measure(backend: Backend, probe: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Time for one tile at the backend's own batch, and the probe's logits on the CPU."""
    tiles = probe.expand(backend.batch, -1, -1, -1, -1).contiguous()
    start = time.perf_counter()
    logits = backend.run(tiles)[:1].to("cpu", copy=True)
    first, best = time.perf_counter() - start, float("inf")
    for _ in range(1 if first > _LONG_S else _ROUNDS):
        start = time.perf_counter()
        backend.run(tiles)[:1, :1, :1, :1, :1].to("cpu", copy=True)  # waits for a card
        best = min(best, time.perf_counter() - start)
    return best / len(tiles), logits


def _compare(expected: torch.Tensor, found: torch.Tensor, regions: bool) -> tuple[float, float]:
    """Share of samples of the same class, and the largest difference over the spread."""
    same = (_classes(expected, regions) == _classes(found, regions)).all(dim=1)
    spread = float(expected.std()) or 1.0
    return float(same.double().mean()), float((expected - found).abs().max()) / spread


def variety(logits: torch.Tensor, regions: bool) -> float:
    """Share of the samples outside of the largest class."""
    counts = _classes(logits, regions).flatten().int().bincount()
    return 1.0 - float(counts.max()) / float(counts.sum())


def _classes(logits: torch.Tensor, regions: bool) -> torch.Tensor:
    """``(tile, 1 or region, ...)``: the class, or whether it is in each region."""
    if regions or logits.shape[1] == 1:
        return logits > 0
    return logits.argmax(dim=1, keepdim=True)


def logits_only(network: nn.Module, answer: torch.Tensor) -> torch.Tensor:
    """Leave out the agreement of flips, which jumps where two classes are equal."""
    mirrored = any(isinstance(each, Mirrored) for each in network.modules())
    return answer[:, :-1] if mirrored else answer


def smooth_noise(tile: tuple[int, int, int, int]) -> torch.Tensor:
    """Blobs about an eighth of a tile wide, with some noise: mean 0, standard deviation 1."""
    generator = torch.Generator().manual_seed(0)
    channels, *shape = tile
    coarse = [max(1, size // 8) for size in shape]
    blobs = torch.randn((1, channels, *coarse), generator=generator)
    smooth = nn.functional.interpolate(blobs, size=tuple(shape), mode="trilinear")
    noise = 0.2 * torch.randn((1, *tile), generator=generator)
    both = smooth + noise
    return (both - both.mean()) / (both.std() + 1e-6)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; on the CPU torch has no class for it."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    told = str(error).lower()
    return any(words in told for words in ("can't allocate", "bad_alloc", "not enough memory"))


def first_line(error: BaseException) -> str:
    """Kind of an error and the start of what it says, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
