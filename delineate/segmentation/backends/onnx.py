"""ONNX Runtime: for CPUs that OpenVINO does not run on."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from delineate.errors import MissingExtraError
from delineate.segmentation.backends.cache import Cache

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["OnnxRuntime", "import_onnxruntime"]


class OnnxRuntime:
    """A network run by ONNX Runtime for tiles of one shape, on the CPU in float32.

    Parameters
    ----------
    network
        Gives it; asked only where its form is not kept. Left as it is.
    tile
        ``(channel, slice, row, column)``.
    cache, key
        Where the exported network is kept, and its name there.
    threads
        All of torch's if ``None``.

    Raises
    ------
    MissingExtraError
        If ONNX Runtime is not installed.
    RuntimeError
        If torch cannot export the network.
    """

    name = "onnxruntime"
    batch = 1

    def __init__(
        self,
        network: Callable[[], nn.Module],
        tile: tuple[int, int, int, int],
        *,
        cache: Cache,
        key: str,
        threads: int | None = None,
    ) -> None:
        runtime = import_onnxruntime()
        self.device = torch.device("cpu")
        self.threads = threads or torch.get_num_threads()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3  # errors
        content = _exported(network, tile, cache, f"onnx-{torch.__version__}-{key}")
        self._session = runtime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._runtime = runtime
        self._names = self._session.get_inputs()[0].name, self._session.get_outputs()[0].name
        self._answers = torch.empty((1, *self._session.get_outputs()[0].shape[1:]))

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        if len(tiles) > len(self._answers):
            self._answers = torch.empty((len(tiles), *self._answers.shape[1:]))
        for place in range(len(tiles)):
            binding = self._session.io_binding()
            self._bind(binding.bind_input, self._names[0], tiles[place : place + 1])
            self._bind(binding.bind_output, self._names[1], self._answers[place : place + 1])
            self._session.run_with_iobinding(binding)
        return self._answers[: len(tiles)]

    @staticmethod
    def _bind(bind: Any, name: str, tensor: torch.Tensor) -> None:
        """Let the session read or write a contiguous tensor in place."""
        bind(name, "cpu", 0, "float32", tuple(tensor.shape), tensor.data_ptr())


def import_onnxruntime() -> ModuleType:
    """Import ONNX Runtime, its reports to Microsoft (on Windows) switched off.

    Raises
    ------
    MissingExtraError
        If it, or what torch needs for the export, is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"ONNX Runtime cannot be used ({error}); install it with: "
            "pip install 'delineate[onnxruntime]'"
        ) from error
    onnxruntime.disable_telemetry_events()
    return cast("ModuleType", onnxruntime)


def _exported(
    network: Callable[[], nn.Module], tile: tuple[int, int, int, int], cache: Cache, name: str
) -> bytes:
    """The network in ONNX form: the one kept, or one made and kept now."""
    kept = cache.find(name)
    if kept is not None:
        return (kept / "network.onnx").read_bytes()
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network(), (torch.zeros((1, *tile)),), dynamo=True, verbose=False
            )
    finally:
        logger.setLevel(level)
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()

    def write(folder: Path) -> None:
        (folder / "network.onnx").write_bytes(content)

    cache.keep(name, write)
    return content
