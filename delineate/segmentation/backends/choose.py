"""The fastest backend that says what torch says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from delineate.errors import ModelError, OptionError
from delineate.segmentation.backends.builders import (
    NAMES,
    Task,
    available,
    build,
    built_by,
    machine,
)
from delineate.segmentation.backends.cache import Cache, key_of, private_folder
from delineate.segmentation.backends.protocol import Backend
from delineate.segmentation.backends.trial import (
    LEAST_AGREEMENT,
    LEAST_VARIETY,
    MOST_DIFFERENCE,
    Trial,
    first_line,
    lacks_memory,
    logits_only,
    measure,
    smooth_noise,
    try_out,
    variety,
)

__all__ = ["Chosen", "choose", "pick_device"]

_WORTH_TRYING_S = 0.012  # a volume has some 40 tiles; another backend takes 0.25 s to load


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
    network: Callable[[], nn.Module],
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
        Gives it, in evaluation mode, on the CPU, with its wrappers. It is asked only where what
        was made of it is not kept: building it takes longer than all else.
    key
        `Model.key`, and the wrappers: two networks of one key are the same.
    tile
        ``(channel, slice, row, column)``.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA if there is a device.
    name
        One of `builders.NAMES`, or ``"auto"``: the fastest of those installed that agree with
        torch. What was found is kept and believed from then on; another version of any of them,
        or another processor, asks anew.
    probe
        A tile like those to come, ``(1, *tile)``. ``None``: smooth noise; half precision is then
        only taken by name, as it is where nearly all of the probe is of one class: it would agree
        about anything.
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
    OutOfMemoryError, MemoryError, RuntimeError
        If there is too little memory for a tile.
    """
    place = pick_device(device)
    threads = threads or torch.get_num_threads()
    parts = {"key": key, "tile": tile, "versions": built_by()}
    cache = Cache(private_folder())
    task = Task(network, key_of(parts), tile, place, batch, threads, cache)
    if name == "auto":
        return _fastest(task, probe, regions)
    if name not in NAMES:
        raise OptionError(f"expected a backend of auto, {', '.join(NAMES)}, got {name!r}")
    obstacle = available(place.type)[name]
    if obstacle:
        raise OptionError(f"backend {name} cannot be used: {obstacle}")
    note = f"choice-{name}-{_situation(task)}"
    known = _recall(cache, note)
    probe = smooth_noise(tile) if probe is None else probe
    try:
        backend = build(name, task)
        seconds = known[1][name].seconds if known else None
        seconds = measure(backend, probe)[0] if seconds is None else seconds
    except Exception as error:  # whatever a compiler raises
        if lacks_memory(error):
            raise
        raise ModelError(f"backend {name} cannot run this network: {first_line(error)}") from error
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


def _fastest(task: Task, probe: torch.Tensor | None, regions: bool) -> Chosen:
    chosen = _chosen_before(task, half=probe is not None)
    if chosen is not None:
        return chosen
    reference = build("torch", task)
    tile = smooth_noise(task.tile) if probe is None else probe
    seconds, answer = measure(reference, tile)
    expected = logits_only(task.network(), answer)
    half = probe is not None and variety(expected, regions) >= LEAST_VARIETY
    if probe is not None and not half and (chosen := _chosen_before(task, half=False)):
        return chosen
    trials = {"torch": Trial(seconds, 1.0)}
    built = {"torch": reference}
    if seconds >= _WORTH_TRYING_S or task.device.type != "cpu":
        for name in _candidates(task.device, half):
            backend, trials[name] = try_out(name, task, tile, expected, regions)
            if backend is not None:
                built[name] = backend
    best = min(built, key=lambda each: trials[each].seconds or 0.0)
    _remember(task.cache, _note(task, half), best, trials)
    return Chosen(built[best], trials[best].seconds or 0.0, trials)


def _chosen_before(task: Task, *, half: bool) -> Chosen | None:
    known = _recall(task.cache, _note(task, half))
    if known is None:
        return None
    name, trials = known
    try:
        return Chosen(build(name, task), trials[name].seconds or 0.0, trials)
    except Exception as error:  # it worked once and no longer does: find out anew
        if lacks_memory(error):
            raise
        return None


def _note(task: Task, half: bool) -> str:
    return f"choice-{'any' if half else 'float32'}-{_situation(task)}"


def _candidates(device: torch.device, half: bool) -> list[str]:
    """What may be faster than the reference, and takes no minutes to find out."""
    usable = [name for name, obstacle in available(device.type).items() if not obstacle]
    if not half:
        usable = [name for name in usable if not name.endswith(("-bf16", "-fp16"))]
    if "openvino" in usable and "onnxruntime" in usable:
        usable.remove("onnxruntime")
    return [name for name in usable if name not in ("torch", "compile")]


def _situation(task: Task) -> str:
    """Name of all that a choice depends on."""
    about = machine() | {
        "rules": [LEAST_AGREEMENT, LEAST_VARIETY, MOST_DIFFERENCE, _WORTH_TRYING_S]
    }
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
