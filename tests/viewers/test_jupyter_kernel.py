"""A real kernel of IPython shows values of delineate, once it was told to. ``make test-napari``."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    manager = pytest.importorskip(
        "jupyter_client.manager", reason="Jupyter is not here; run: make test-napari"
    )

pytestmark = pytest.mark.filterwarnings("ignore")  # what Jupyter warns of is not ours


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    started, client = manager.start_new_kernel(kernel_name="python3", startup_timeout=120)
    yield client
    client.stop_channels()
    started.shutdown_kernel(now=True)


def run(kernel: Any, code: str) -> list[dict[str, Any]]:
    """What a cell shows."""
    told: list[dict[str, Any]] = []
    reply = kernel.execute_interactive(
        textwrap.dedent(code), timeout=120, output_hook=lambda message: told.append(message)
    )
    assert reply["content"]["status"] == "ok", reply["content"]
    return [one["content"]["data"] for one in told if "data" in one["content"]]


def test_values_show_themselves_after_the_extension_is_loaded(kernel: Any) -> None:
    (before,) = run(
        kernel,
        """
        import numpy as np
        from delineate import Grid, Image
        image = Image(np.zeros((3, 8, 8), np.int16), Grid.regular((3, 8, 8)), "CT")
        image
        """,
    )
    assert "text/html" not in before

    (after,) = run(kernel, "%load_ext delineate.viewers.jupyter\nimage")

    assert "data:image/png;base64," in after["text/html"]
    assert after["text/plain"] == "<Image, CT, 8 × 8 × 3 samples of 1 × 1 × 1 mm>"


def test_slices_to_go_through_are_shown(kernel: Any) -> None:
    (shown,) = run(kernel, "from delineate.viewers.jupyter import Scroller\nScroller(image)")

    assert shown["text/html"].startswith('<iframe sandbox="allow-scripts"')
