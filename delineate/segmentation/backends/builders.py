"""All backends by name, whether each can be used here, and how it is made."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from torch import nn

from delineate.segmentation.backends.cache import Cache
from delineate.segmentation.backends.compiled import Compiled, compiler_found
from delineate.segmentation.backends.eager import Eager, autocast_types
from delineate.segmentation.backends.onnx import OnnxRuntime
from delineate.segmentation.backends.openvino import OpenVino, pick_precisions
from delineate.segmentation.backends.protocol import Backend

__all__ = ["NAMES", "Task", "available", "build", "built_by", "machine"]

NAMES: tuple[str, ...] = (
    "torch",
    "torch-bf16",
    "torch-fp16",
    "compile",
    "openvino",
    "openvino-bf16",
    "onnxruntime",
)
"""Names of the backends; ``"torch"`` is the reference."""

_HALVES = {"torch-bf16": torch.bfloat16, "torch-fp16": torch.float16}


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What a backend is made for.

    Parameters
    ----------
    network
        Gives it, in evaluation mode, on the CPU; not asked where what was made of it is kept.
    key
        Names the network, its weights and its tile in the cache.
    tile
        ``(channel, slice, row, column)``.
    device
        Where to compute.
    batch
        Tiles at once, at most.
    threads
        Of the CPU.
    cache
        Where to keep what is costly to make.
    """

    network: Callable[[], nn.Module]
    key: str
    tile: tuple[int, int, int, int]
    device: torch.device
    batch: int
    threads: int
    cache: Cache


def available(device: str = "cpu") -> dict[str, str]:
    """Say of each backend why it cannot be used on this machine, or nothing if it can.

    Parameters
    ----------
    device
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    dict
        A sentence for each of `NAMES`, empty if nothing is in the way.
    """
    return {name: _obstacle(name, torch.device(device)) for name in NAMES}


def _obstacle(name: str, device: torch.device) -> str:
    if device.type == "cuda" and not torch.cuda.is_available():
        return "torch finds no CUDA device"
    if name in _HALVES and _HALVES[name] not in autocast_types(device):
        return f"this {device.type.upper()} computes no faster in {name.removeprefix('torch-')}"
    if name == "compile" and compiler_found() is None:
        return "torch.compile needs a C++ compiler such as g++, and none is on the PATH"
    if name.startswith(("openvino", "onnx")):
        if device.type != "cpu":
            return f"{name} computes on the CPU alone"
        return _missing(name)
    return ""


def _missing(name: str) -> str:
    extra = name.removesuffix("-bf16")
    needed = ("openvino",) if extra == "openvino" else ("onnxruntime", "onnx", "onnxscript")
    for package in needed:
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed; pip install 'delineate[{extra}]'"
    if name == "openvino-bf16" and "bf16" not in pick_precisions():
        return "this CPU has no bfloat16 arithmetic (AMX or AVX-512 BF16)"
    return ""


def build(name: str, task: Task) -> Backend:
    """Make one of `NAMES`; whatever goes wrong is raised as it is."""
    return _BUILDERS[name](task)


def _torch(task: Task) -> Backend:
    return Eager(task.network(), task.device, batch=task.batch, threads=task.threads)


def _half(dtype: torch.dtype) -> Callable[[Task], Backend]:
    def make(task: Task) -> Backend:
        return Eager(task.network(), task.device, dtype, batch=task.batch, threads=task.threads)

    return make


def _compile(task: Task) -> Backend:
    folder = task.cache.folder and task.cache.folder / f"inductor-{torch.__version__}"
    return Compiled(
        task.network(),
        task.tile,
        task.device,
        folder,
        batch=task.batch,
        threads=task.threads,
    )


def _openvino(task: Task) -> Backend:
    return OpenVino(
        task.network,
        task.tile,
        cache=task.cache,
        key=task.key,
        batch=task.batch,
        threads=task.threads,
    )


def _openvino_bf16(task: Task) -> Backend:
    return OpenVino(
        task.network,
        task.tile,
        "bf16",
        cache=task.cache,
        key=task.key,
        batch=task.batch,
        threads=task.threads,
    )


def _onnxruntime(task: Task) -> Backend:
    return OnnxRuntime(
        task.network, task.tile, cache=task.cache, key=task.key, threads=task.threads
    )


_BUILDERS: dict[str, Callable[[Task], Backend]] = {
    "torch": _torch,
    **{name: _half(dtype) for name, dtype in _HALVES.items()},
    "compile": _compile,
    "openvino": _openvino,
    "openvino-bf16": _openvino_bf16,
    "onnxruntime": _onnxruntime,
}


@lru_cache(maxsize=1)
def machine() -> dict[str, str]:
    """What speeds depend on: the processor, the card, and the versions of what computes."""
    return {
        "processor": _processor(),
        "card": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        **{package: _version(package) for package in ("torch", "openvino", "onnxruntime")},
    }


@lru_cache(maxsize=1)
def built_by() -> dict[str, str]:
    """Versions of what a network is built by: another one may build another network."""
    return {package: _version(package) for package in ("delineate", "monai", "torch")}


def _processor() -> str:
    """Model and instructions of the CPU, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0].splitlines()
    except OSError:
        lines = []
    wanted = ("model name", "flags", "Features")
    told = [line for line in lines if line.startswith(wanted)]
    return "\n".join([platform.machine(), platform.processor(), *told])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
