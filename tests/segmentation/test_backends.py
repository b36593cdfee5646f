"""Whatever runs a network says what torch says of it, the same twice, and tells nobody."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from delineate.errors import MissingExtraError, ModelError, OptionError
from delineate.segmentation.backends import builders, choose, trial
from delineate.segmentation.backends.builders import NAMES, available
from delineate.segmentation.backends.cache import Cache
from delineate.segmentation.backends.choose import Chosen, pick_device
from delineate.segmentation.backends.eager import channels_last
from delineate.segmentation.backends.openvino import OpenVino
from delineate.segmentation.backends.protocol import Backend
from delineate.segmentation.backends.quick_norms import with_quick_norms
from delineate.segmentation.networks import build_network
from delineate.segmentation.wrappers import Mean, Mirrored, Permuted, Slicewise

TILE = (2, 16, 24, 32)
EXACT = ("torch", "openvino", "onnxruntime")
HALF = ("torch-bf16", "openvino-bf16")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiles are too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that all tests share, but for those that look into it."""
    path = tmp_path_factory.getbasetemp() / "backends"
    monkeypatch.setenv("DELINEATE_CACHE", str(path))
    return path


def _seeded(name: str, **arguments: object) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return build_network(name, arguments).eval().requires_grad_(False)


def _unet(dimensions: int = 3) -> nn.Module:
    return _seeded(
        "UNet",
        spatial_dims=dimensions,
        in_channels=2,
        out_channels=5,
        channels=[4, 8, 16],
        strides=[2, 2],
        num_res_units=2,
        norm=["instance", {"affine": True}],
    )


def _segresnet() -> nn.Module:
    return _seeded("SegResNet", init_filters=8, in_channels=2, out_channels=5)


def _dynunet(dimensions: int = 3) -> nn.Module:
    return _seeded(
        "DynUNet",
        spatial_dims=dimensions,
        in_channels=2,
        out_channels=5,
        kernel_size=[3, 3, 3],
        strides=[1, 2, 2],
        upsample_kernel_size=[2, 2],
        filters=[4, 8, 16],
        norm_name=["instance", {"affine": True}],
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "UNet": _unet,
    "SegResNet": _segresnet,
    "DynUNet": _dynunet,
    "UNet, 2-D": lambda: Slicewise(_unet(2)),
    "DynUNet, 2-D, mirrored": lambda: Mirrored(Slicewise(_dynunet(2)), (1, 2)),
    "UNet, mirrored and turned": lambda: Permuted(Mirrored(_unet(), (0, 2)), (2, 0, 1)),
    "two of them": lambda: Mean([_unet(), _dynunet()]),
}


def _tile_of(network: str) -> tuple[int, int, int, int]:
    return (2, 1, 24, 32) if "2-D" in network else TILE


@cache
def _network(network: str) -> nn.Module:
    return NETWORKS[network]().eval()


UNET = partial(_network, "UNet")


def _tiles(network: str, count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((count, *_tile_of(network)), generator=generator)


def _plain(network: str, tiles: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([_network(network)(tile[None]) for tile in tiles])


def _need(name: str) -> None:
    if obstacle := available("cpu")[name]:
        pytest.skip(f"{name}: {obstacle}")


@cache
def _made(name: str, network: str, batch: int = 1) -> Chosen:
    return choose.choose(
        partial(_network, network),
        key=network,
        tile=_tile_of(network),
        device="cpu",
        name=name,
        batch=batch,
        threads=batch,
    )


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", EXACT)
def test_each_backend_gives_the_logits_of_plain_torch(name: str, network: str) -> None:
    _need(name)
    tiles = _tiles(network, 3)

    logits = _made(name, network, 2).run(tiles)

    expected = _plain(network, tiles)
    flips = "mirrored" in network
    assert logits.dtype == torch.float32
    assert logits.shape == expected.shape
    shown = (logits[:, :-1], expected[:, :-1]) if flips else (logits, expected)
    torch.testing.assert_close(*shown, rtol=1e-3, atol=1e-3)
    assert trial._compare(expected, logits, regions=False)[0] >= 0.9999
    if flips:  # the share of flips that agree: a tie within rounding may fall either way
        assert float((logits[:, -1] - expected[:, -1]).abs().gt(1e-5).float().mean()) < 0.001


@pytest.mark.parametrize("name", HALF)
def test_half_precision_is_near_and_comes_back_as_float32(name: str) -> None:
    _need(name)
    tiles = _tiles("UNet", 2)

    logits = _made(name, "UNet").run(tiles)

    expected = _plain("UNet", tiles)
    assert logits.dtype == torch.float32
    agreement, difference = trial._compare(expected, logits, regions=False)
    assert agreement > 0.97
    assert 1e-4 < difference < 0.2, "it computed in float32, or in something worse"


@pytest.mark.slow
def test_the_compiled_network_gives_the_logits_of_plain_torch() -> None:
    _need("compile")
    network = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.InstanceNorm3d(4), nn.Conv3d(4, 2, 1))
    tiles = torch.randn((3, 1, 8, 8, 8), generator=torch.Generator().manual_seed(0))

    made = choose.choose(network.eval, key="k", tile=(1, 8, 8, 8), device="cpu", name="compile")
    logits = made.run(tiles).clone()

    with torch.inference_mode():
        torch.testing.assert_close(logits, network(tiles), rtol=1e-4, atol=1e-4)
    assert torch.equal(made.run(tiles), logits)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([*EXACT, *HALF]), st.integers(1, 4), st.integers(0, 99))
def test_the_same_tiles_give_the_same_bits_alone_or_in_company(
    name: str, count: int, seed: int
) -> None:
    if available("cpu")[name]:
        return
    backend = _made(name, "UNet", 1 if name.startswith("torch") else 2)
    tiles = _tiles("UNet", count, seed)

    together = backend.run(tiles).clone()

    assert torch.equal(backend.run(tiles), together)
    if not name.startswith("torch"):  # torch picks its kernels by how many tiles there are
        alone = [backend.run(tile[None]).clone() for tile in tiles]
        assert torch.equal(torch.cat(alone), together)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_what_comes_out_of_one_call_is_written_over_by_the_next(name: str) -> None:
    """Nothing is copied that need not be; the protocol says so."""
    _need(name)
    backend = _made(name, "UNet", 2)
    first = backend.run(_tiles("UNet", 2, 1))

    second = backend.run(_tiles("UNet", 2, 2))

    assert first.data_ptr() == second.data_ptr()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(0, 99), st.booleans(), st.floats(-50, 50))
def test_quick_norms_normalise_as_torch_does(
    batch: int, channels: int, seed: int, affine: bool, offset: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    norm = nn.InstanceNorm3d(channels, affine=affine)
    if affine:
        nn.init.normal_(norm.weight, generator=generator)
        nn.init.normal_(norm.bias, generator=generator)
    network = nn.Sequential(nn.Identity(), nn.ModuleList([norm])[0]).eval()
    samples = torch.randn((batch, channels, 5, 6, 7), generator=generator) + offset

    quick = with_quick_norms(network)

    assert type(network[1]) is nn.InstanceNorm3d, "the network itself is left alone"
    assert type(quick[1]) is not nn.InstanceNorm3d
    assert {id(each) for each in quick.parameters()} == {id(each) for each in norm.parameters()}
    torch.testing.assert_close(quick(samples), network(samples), rtol=1e-4, atol=1e-4)


def test_norms_that_remember_statistics_are_left_as_they_are() -> None:
    norm = nn.InstanceNorm3d(3, track_running_stats=True).eval()

    assert type(with_quick_norms(nn.Sequential(norm))[0]) is nn.InstanceNorm3d


def test_nothing_is_told_to_anybody(tmp_path: Path) -> None:
    _need("openvino")
    program = """
import os, socket, sys
def refuse(*_):
    print("a socket was opened", flush=True)
    os._exit(3)
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import torch
from torch import nn
from delineate.segmentation.backends.choose import choose
network = nn.Conv3d(1, 2, 3, padding=1).eval()
for name in ("openvino", "auto"):
    chosen = choose(lambda: network, key="k", tile=(1, 8, 8, 8), device="cpu", name=name)
    assert name == "auto" or chosen.name == "openvino"
    chosen.run(torch.zeros(1, 1, 8, 8, 8))
sent = [n for n, m in sys.modules.items() if n.split(".")[0] == "openvino_telemetry" and m]
assert not sent, sent
import openvino.tools.ovc.telemetry_utils as told
assert told.tm.__name__.endswith("telemetry_stub"), told.tm
"""
    place = {"DELINEATE_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path), "PATH": "/usr/bin"}

    done = subprocess.run(
        [sys.executable, "-c", program], env=place, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(tmp_path.glob("intel/**/*")), "OpenVINO wrote down who it counts"


def test_the_second_time_nothing_is_traced_or_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _need("openvino")
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path))
    monkeypatch.setattr(choose, "_WORTH_TRYING_S", 0.0)
    first = _auto("UNet")
    assert set(first.trials) >= {"torch", "openvino"}
    before = sorted(tmp_path.rglob("*"))

    def never(*_: object, **__: object) -> None:
        raise AssertionError("made again what was kept")

    monkeypatch.setattr("delineate.segmentation.backends.openvino._traced", never)
    monkeypatch.setattr(choose, "measure", never)
    monkeypatch.setattr(choose, "try_out", never)
    if first.name.startswith("openvino"):  # nor is the network built
        monkeypatch.setitem(NETWORKS, "UNet", never)
        _network.cache_clear()
    second = _auto("UNet")
    monkeypatch.undo()

    assert second.name == first.name
    assert second.trials == first.trials
    assert second.seconds_per_tile == first.seconds_per_tile > 0
    assert sorted(tmp_path.rglob("*")) == before
    tiles = _tiles("UNet", 1)
    assert torch.equal(second.run(tiles), first.run(tiles))


def _auto(network: str, probe: torch.Tensor | None = None) -> Chosen:
    tile = _tile_of(network)
    return choose.choose(
        partial(_network, network), key=network, tile=tile, device="cpu", probe=probe
    )


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("harm", ["cut", "flipped"])
def test_a_broken_cache_costs_time_and_nothing_else(name: str, harm: str, tmp_path: Path) -> None:
    _need(name)
    tiles, cache = _tiles("UNet", 1), Cache(tmp_path)
    task = builders.Task(UNET, "k", TILE, torch.device("cpu"), 1, 1, cache)
    expected = builders.build(name, task).run(tiles).clone()
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".xml", ".onnx")]
    assert files
    for path in files:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 255
        path.write_bytes(data[: len(data) // 2] if harm == "cut" else data)

    assert torch.equal(builders.build(name, task).run(tiles), expected)


def test_a_cache_that_cannot_be_written_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELINEATE_CACHE", "/proc/nothing")
    for name in EXACT:
        if not available("cpu")[name]:
            tiles = _tiles("UNet", 1)
            made = choose.choose(
                partial(_network, "UNet"), key="k", tile=TILE, device="cpu", name=name
            )

            torch.testing.assert_close(made.run(tiles), _plain("UNet", tiles), rtol=1e-3, atol=1e-3)


def test_a_name_that_cannot_be_used_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(OptionError, match=r"expected a backend of auto, torch, .* got 'tensorrt'"):
        choose.choose(UNET, key="k", tile=TILE, device="cpu", name="tensorrt")
    with pytest.raises(OptionError, match="torch-fp16 cannot be used: this CPU computes no faster"):
        choose.choose(
            partial(_network, "UNet"), key="k", tile=TILE, device="cpu", name="torch-fp16"
        )

    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for name in ("openvino", "openvino-bf16", "onnxruntime"):
        with pytest.raises(OptionError, match=r"is not installed; pip install 'delineate\[o"):
            choose.choose(UNET, key="k", tile=TILE, device="cpu", name=name)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(OptionError, match=r"needs a C\+\+ compiler"):
        choose.choose(UNET, key="k", tile=TILE, device="cpu", name="compile")


def test_a_package_that_is_there_but_broken_is_a_missing_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(MissingExtraError, match=r"delineate\[openvino\]"):
        OpenVino(UNET, TILE, cache=Cache(None), key="k")


def test_every_backend_says_whether_it_can_be_used() -> None:
    on_cpu = available("cpu")

    assert tuple(on_cpu) == NAMES
    assert on_cpu["torch"] == ""
    if not torch.cuda.is_available():
        assert set(available("cuda").values()) == {"torch finds no CUDA device"}
        assert pick_device("auto").type == "cpu"
        with pytest.raises(OptionError, match="expected a CUDA device"):
            pick_device("cuda")
    with pytest.raises(OptionError, match="expected a device of auto, cpu, cuda, got 'tpu'"):
        pick_device("tpu")


class _Wrong(nn.Module):
    """Says something else when it is traced: what a broken compiler would do."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        both = torch.cat([inputs, -inputs], dim=1)
        return -both if torch.jit.is_tracing() else both


class _Untraceable(nn.Module):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_tracing():
            raise ValueError("cannot be traced")
        return torch.cat([inputs, -inputs], dim=1)


@pytest.mark.parametrize(
    ("network", "reason"),
    [(_Wrong(), "agrees with torch in"), (_Untraceable(), "failed: .*traced")],
)
def test_auto_passes_over_what_disagrees_or_fails_and_says_why(
    network: nn.Module, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _need("openvino")
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path))
    monkeypatch.setattr(choose, "_WORTH_TRYING_S", 0.0)

    chosen = choose.choose(network.eval, key="k", tile=(1, 8, 8, 8), device="cpu")

    assert chosen.name == "torch"
    assert re.search(reason, chosen.trials["openvino"].refused)
    if isinstance(network, _Untraceable):
        with pytest.raises(ModelError, match="backend openvino cannot run this network"):
            choose.choose(
                lambda: network, key="k", tile=(1, 8, 8, 8), device="cpu", name="openvino"
            )


def test_half_precision_is_looked_at_only_where_the_probe_can_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path))
    monkeypatch.setattr(choose, "_WORTH_TRYING_S", 0.0)
    halves = {name for name in HALF if not available("cpu")[name]}

    assert not halves & set(_auto("UNet").trials)
    one = nn.Conv3d(1, 2, 1).eval()
    air = choose.choose(
        lambda: one, key="k", tile=(1, 8, 8, 8), device="cpu", probe=torch.zeros(1, 1, 8, 8, 8)
    )
    assert not halves & set(air.trials), "all of one class"
    assert halves <= set(_auto("UNet", _tiles("UNet", 1)).trials)
    for name, found in _auto("UNet", _tiles("UNet", 1)).trials.items():
        assert found.agreement is not None
        assert bool(found.refused) == (found.agreement < 0.999), (name, found)


def test_a_network_quicker_than_others_load_stays_with_torch(tmp_path: Path) -> None:
    chosen = choose.choose(
        nn.Conv3d(1, 2, 1).eval, key="tiny", tile=(1, 4, 4, 4), device="cpu", name="auto"
    )

    assert chosen.name == "torch"
    assert set(chosen.trials) == {"torch"}


def test_lack_of_memory_is_told_as_such() -> None:
    class Greedy(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return torch.empty(1 << 50) + inputs.sum()

    for name in ("auto", "torch"):
        with pytest.raises(RuntimeError, match="can't allocate memory"):
            choose.choose(Greedy, key="greedy", tile=(1, 4, 4, 4), device="cpu", name=name)
    assert trial.lacks_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert trial.lacks_memory(MemoryError())
    assert not trial.lacks_memory(RuntimeError("shapes do not match"))


def test_regions_are_compared_by_their_signs() -> None:
    expected = torch.tensor([[2.0, 1.0], [-1.0, 3.0]]).reshape(1, 2, 2, 1, 1)
    found = torch.tensor([[1.0, 2.0], [-1.0, 3.0]]).reshape(1, 2, 2, 1, 1)
    other = torch.tensor([[2.0, 1.0], [1.0, 3.0]]).reshape(1, 2, 2, 1, 1)

    assert trial._compare(expected, found, regions=True)[0] == 1.0
    assert trial._compare(expected, other, regions=True)[0] == 0.5
    assert trial._compare(expected, other, regions=False)[0] == 1.0
    assert trial.variety(expected, regions=False) == 0.5


def test_a_backend_records_its_threads() -> None:
    for name in EXACT:
        if not available("cpu")[name]:
            made: Backend = _made(name, "UNet").backend
            assert made.threads == 1
            assert made.device.type == "cpu"


@pytest.mark.parametrize(("dimensions", "tile"), [(2, (1, 2, 16, 16)), (3, (1, 2, 16, 16, 16))])
def test_weights_of_two_and_three_dimensions_are_ordered_for_cards(
    dimensions: int, tile: tuple[int, ...]
) -> None:
    network = _seeded(
        "UNet",
        spatial_dims=dimensions,
        in_channels=2,
        out_channels=2,
        channels=[4, 8],
        strides=[2],
    ).eval()
    example = torch.randn(tile, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = network(example)

    ordered = channels_last(network)

    layout = torch.channels_last if dimensions == 2 else torch.channels_last_3d
    kernels = [weight for weight in ordered.parameters() if weight.dim() == dimensions + 2]
    assert kernels
    assert all(kernel.is_contiguous(memory_format=layout) for kernel in kernels)
    with torch.inference_mode():
        torch.testing.assert_close(ordered(example), before)
