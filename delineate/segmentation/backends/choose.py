"""The fastest backend that says what torch says."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from delineate.errors import ModelError, OptionError
from delineate.segmentation.backends.builders import NAMES, Task, available, build, machine
from delineate.segmentation.backends.cache import Cache, key_of, private_folder
from delineate.segmentation.backends.protocol import Backend
from delineate.segmentation.wrappers import Mirrored

__all__ = ["LEAST_AGREEMENT", "MOST_DIFFERENCE", "Chosen", "Trial", "choose", "pick_device"]

LEAST_AGREEMENT = 0.999
"""Share of a probe's samples that must get the same class as from the reference."""

MOST_DIFFERENCE = 0.1
"""Of any logit from the reference, in standard deviations of the reference's logits."""

_WORTH_TRYING_S = 0.012  # a volume has some 40 tiles; another backend takes 0.25 s to load
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


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A backend, and how it came to be chosen.

    Parameters
    ----------
    backend
        What runs the network.
    seconds_per_tile
        Measured on this machine, now or when it was first chosen.
    trials
        Of all backends that were looked at, by name.
    """

    backend: Backend
    seconds_per_tile: float
    trials: dict[str, Trial] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the backend."""
        return self.backend.name

    @property
    def device(self) -> torch.device:
        """Of the backend."""
        return self.backend.device

    @property
    def threads(self) -> int:
        """Of the backend."""
        return self.backend.threads

    @property
    def batch(self) -> int:
        """Of the backend."""
        return self.backend.batch

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        return self.backend.run(tiles)


def choose(
    network: nn.Module,
    *,
    key: str,
    tile: tuple[int, int, int, int],
    device: str = "auto",
    name: str = "auto",
    probe: torch.Tensor | None = None,
    threads: int | None = None,
    batch: int = 1,
    regions: bool = False,
) -> Chosen:
    """Make a network ready to run.

    Parameters
    ----------
    network
        In evaluation mode, on the CPU, with its wrappers.
    key
        `Model.key`: two networks of one key are the same.
    tile
        ``(channel, slice, row, column)``.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA if there is a device.
    name
        One of `builders.NAMES`, or ``"auto"``: the fastest of those installed that agree with
        torch. What was found is kept and believed from then on; another version of any of them,
        or another processor, asks anew.
    probe
        A tile like those to come, ``(1, *tile)``; ``None``: smooth noise.
    threads
        Of the CPU; ``None``: as many as torch has.
    batch
        Tiles at once, at most; memory grows with it.
    regions
        Whether outputs are told apart by their signs, not by which is largest.

    Raises
    ------
    OptionError
        If the device is not there, or the backend named cannot be used here; says why.
    ModelError
        If the backend named cannot run this network.
    """
    place = pick_device(device)
    threads = threads or torch.get_num_threads()
    parts = {"network": repr(network), "key": key, "tile": tile}
    cache = Cache(private_folder())
    task = Task(network, key_of(parts), tile, place, batch, threads, cache)
    probe = _smooth_noise(tile) if probe is None else probe.to(torch.float32).contiguous()
    if name == "auto":
        return _fastest(task, probe, regions)
    if name not in NAMES:
        raise OptionError(f"expected a backend of auto, {', '.join(NAMES)}, got {name!r}")
    obstacle = available(place.type)[name]
    if obstacle:
        raise OptionError(f"backend {name} cannot be used: {obstacle}")
    note = f"choice-{name}-{_situation(task)}"
    known = _recall(cache, note)
    try:
        backend = build(name, task)
        seconds = known[1][name].seconds if known else None
        seconds = _seconds(backend, probe)[0] if seconds is None else seconds
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a compiler raises
        raise ModelError(f"backend {name} cannot run this network: {_first_line(error)}") from error
    trials = {name: Trial(seconds)}
    if not known:
        _remember(cache, note, name, trials)
    return Chosen(backend, seconds, trials)


def pick_device(name: str) -> torch.device:
    """Turn ``"auto"``, ``"cpu"`` or ``"cuda"`` into a device that is there.

    Raises
    ------
    OptionError
        If there is none.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise OptionError(f"expected a device of auto, cpu, cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise OptionError("expected a CUDA device, and torch finds none; choose cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _fastest(task: Task, probe: torch.Tensor, regions: bool) -> Chosen:
    note = f"choice-{_situation(task)}"
    known = _recall(task.cache, note)
    if known is not None:
        name, trials = known
        try:
            return Chosen(build(name, task), trials[name].seconds or 0.0, trials)
        except torch.OutOfMemoryError:
            raise
        except Exception:  # it worked once and no longer does: find out anew
            known = None
    reference = build("torch", task)
    seconds, expected = _seconds(reference, probe)
    trials = {"torch": Trial(seconds, 1.0)}
    built = {"torch": reference}
    if seconds >= _WORTH_TRYING_S or task.device.type != "cpu":
        classes = _logits_only(task.network, expected)
        for name in _candidates(task.device):
            backend, trials[name] = _tried(name, task, probe, classes, regions)
            if backend is not None:
                built[name] = backend
    best = min(built, key=lambda each: trials[each].seconds or 0.0)
    _remember(task.cache, note, best, trials)
    return Chosen(built[best], trials[best].seconds or 0.0, trials)


def _candidates(device: torch.device) -> list[str]:
    """What may be faster than the reference, and takes no minutes to find out."""
    usable = [name for name, obstacle in available(device.type).items() if not obstacle]
    if "openvino" in usable and "onnxruntime" in usable:
        usable.remove("onnxruntime")
    return [name for name in usable if name not in ("torch", "compile")]


def _tried(
    name: str, task: Task, probe: torch.Tensor, expected: torch.Tensor, regions: bool
) -> tuple[Backend | None, Trial]:
    try:
        backend = build(name, task)
        seconds, found = _seconds(backend, probe)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a compiler raises: the others remain
        return None, Trial(refused=f"failed: {_first_line(error)}")
    agreement, difference = _compare(expected, _logits_only(task.network, found), regions)
    refused = ""
    if not agreement >= LEAST_AGREEMENT:
        refused = f"agrees with torch in {agreement:.4%} of samples only"
    elif not difference <= MOST_DIFFERENCE:
        refused = f"logits differ by {difference:.3g} of their spread"
    return (None if refused else backend), Trial(seconds, agreement, refused)


def _seconds(backend: Backend, probe: torch.Tensor) -> tuple[float, torch.Tensor]:
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
    if regions or expected.shape[1] == 1:
        same = ((expected > 0) == (found > 0)).all(dim=1)
    else:
        same = expected.argmax(dim=1) == found.argmax(dim=1)
    spread = float(expected.std()) or 1.0
    return float(same.double().mean()), float((expected - found).abs().max()) / spread


def _logits_only(network: nn.Module, answer: torch.Tensor) -> torch.Tensor:
    """Leave out the agreement of flips, which jumps where two classes are equal."""
    mirrored = any(isinstance(each, Mirrored) for each in network.modules())
    return answer[:, :-1] if mirrored else answer


def _smooth_noise(tile: tuple[int, int, int, int]) -> torch.Tensor:
    """Blobs about an eighth of a tile wide, with some noise: mean 0, standard deviation 1."""
    generator = torch.Generator().manual_seed(0)
    channels, *shape = tile
    coarse = [max(1, size // 8) for size in shape]
    blobs = torch.randn((1, channels, *coarse), generator=generator)
    smooth = nn.functional.interpolate(blobs, size=tuple(shape), mode="trilinear")
    noise = 0.2 * torch.randn((1, *tile), generator=generator)
    field_ = smooth + noise
    return (field_ - field_.mean()) / (field_.std() + 1e-6)


def _situation(task: Task) -> str:
    """Name of all that a choice depends on."""
    about = machine() | {"rules": [LEAST_AGREEMENT, MOST_DIFFERENCE, _WORTH_TRYING_S]}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    here = {"machine": digest, "device": task.device.type, "batch": task.batch}
    return key_of({"key": task.key, "threads": task.threads, **here})


def _recall(cache: Cache, note: str) -> tuple[str, dict[str, Trial]] | None:
    entry = cache.find(note)
    if entry is None:
        return None
    try:
        kept = json.loads((entry / "choice.json").read_text())
        trials = {name: Trial(**trial) for name, trial in kept["trials"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return kept["name"], trials


def _remember(cache: Cache, note: str, name: str, trials: dict[str, Trial]) -> None:
    content = {"name": name, "trials": {each: asdict(trial) for each, trial in trials.items()}}

    def write(folder: Path) -> None:
        (folder / "choice.json").write_text(json.dumps(content, indent=1))

    cache.keep(note, write)


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
