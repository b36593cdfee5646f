"""OpenVINO: the fastest on CPUs."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import nn

from delineate.errors import MissingExtraError
from delineate.segmentation.backends.cache import Cache

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["OpenVino", "import_openvino", "pick_precisions"]

Precision = Literal["f32", "bf16"]


class OpenVino:
    """A network compiled by OpenVINO for tiles of one shape, on the CPU.

    Parameters
    ----------
    network
        Gives it; asked only where its graph is not kept. Left as it is.
    tile
        ``(channel, slice, row, column)``.
    precision
        ``"f32"``, or ``"bf16"``: products of numbers of 8 significant bits, summed up in float32.
    cache, key
        Where the network's graph is kept, and its name there.
    batch
        Tiles that are computed side by side, each by its share of the threads. Two at once take
        a tenth less time than one after the other, and twice the memory.
    threads
        All of torch's if ``None``.

    Raises
    ------
    MissingExtraError
        If OpenVINO is not installed.
    RuntimeError
        If it cannot read the network.

    Notes
    -----
    Left to itself OpenVINO computes in bfloat16 where the CPU has it, whatever the network is.
    """

    def __init__(
        self,
        network: Callable[[], nn.Module],
        tile: tuple[int, int, int, int],
        precision: Precision = "f32",
        *,
        cache: Cache,
        key: str,
        batch: int = 1,
        threads: int | None = None,
    ) -> None:
        self._openvino = openvino = import_openvino()
        self.name = "openvino" if precision == "f32" else f"openvino-{precision}"
        self.device = torch.device("cpu")
        self.threads = threads or torch.get_num_threads()
        self.batch = max(1, min(batch, self.threads))
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "EXECUTION_MODE_HINT": "ACCURACY" if precision == "f32" else "PERFORMANCE",
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": self.batch,
            "ENABLE_CPU_PINNING": False,  # a second process would be pinned to the same cores
        }
        graph = _graph(openvino, network, tile, cache, key)
        compiled = openvino.Core().compile_model(graph, "CPU", settings)
        shape = compiled.output(0).shape
        self._requests = [compiled.create_infer_request() for _ in range(self.batch)]
        self._compiled = compiled
        self._answers = torch.empty((self.batch, *shape[1:]))

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        if len(tiles) > len(self._answers):
            self._answers = torch.empty((len(tiles), *self._answers.shape[1:]))
        for first in range(0, len(tiles), self.batch):
            places = range(first, min(len(tiles), first + self.batch))
            busy = list(zip(self._requests, places, strict=False))
            for request, place in busy:
                request.set_input_tensor(self._shared(tiles[place : place + 1]))
                request.set_output_tensor(self._shared(self._answers[place : place + 1]))
                request.start_async()
            for request, _ in busy:
                request.wait()
        return self._answers[: len(tiles)]

    def _shared(self, tensor: torch.Tensor) -> Any:
        """The same memory for OpenVINO to read or write."""
        return self._openvino.Tensor(tensor.contiguous().numpy(), shared_memory=True)


def import_openvino() -> ModuleType:
    """Import OpenVINO without the module by which it reports each import over the network.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = cast(Any, None)  # importing it fails from now on
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError(
            f"OpenVINO cannot be imported ({error}); install it with: "
            "pip install 'delineate[openvino]'"
        ) from error
    return cast("ModuleType", openvino)


def pick_precisions() -> tuple[Precision, ...]:
    """Precisions that this CPU computes fast."""
    capabilities = import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("f32", "bf16") if "BF16" in capabilities else ("f32",)


def _graph(
    openvino: ModuleType,
    network: Callable[[], nn.Module],
    tile: tuple[int, int, int, int],
    cache: Cache,
    key: str,
) -> Any:
    """OpenVINO's graph of a network: the one kept, or one made and kept now."""
    name = f"openvino-{openvino.__version__.split('-')[0]}-{key}"
    kept = cache.find(name)
    if kept is not None:
        return openvino.Core().read_model(kept / "graph.xml")
    graph = _traced(network(), tile)

    def write(folder: Path) -> None:
        openvino.serialize(graph, str(folder / "graph.xml"), str(folder / "graph.bin"))

    cache.keep(name, write)
    return graph


def _traced(network: nn.Module, tile: tuple[int, int, int, int]) -> Any:
    """Trace a network and hand the trace to OpenVINO's reader of such.

    ``openvino.convert_model`` does the same and reports it over the network.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros((1, *tile))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of sizes that become constants, as they should
        decoder = TorchScriptPythonDecoder(
            network, example_input=example, trace_kwargs={"check_trace": False}
        )
    reader = FrontEndManager().load_by_framework("pytorch")
    graph = reader.convert(reader.load(decoder))
    graph.reshape(example.shape)
    return graph
