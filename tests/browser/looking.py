"""What somebody at the page does and sees."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIXELS = """([selector]) => {
  const canvas = document.querySelector(selector);
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let text = "";
  for (let i = 0; i < pixels.length; i += 32768) {
    text += String.fromCharCode(...pixels.subarray(i, i + 32768));
  }
  return [width, height, btoa(text)];
}"""


class Looking:
    """A page of Playwright's with the words of these tests."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.set_default_timeout(60_000.0)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._console)
        page.on("dialog", self.dialog)

    def dialog(self, dialog: Any) -> None:
        """Complain of a question that no test expects."""
        self.complaints.append(dialog.message)
        dialog.accept()

    def _console(self, message: Any) -> None:
        # An answer of 4xx is told by the browser as an error, too; tests expect some.
        if message.type == "error" and "the server responded with a status of" not in message.text:
            self.complaints.append(message.text)

    def open(self, fragment: str = "") -> None:
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/{fragment}")

    def state(self, *wanted: str, seconds: float = 60.0) -> str:
        """Wait for one of some states of the page."""
        selector = ", ".join(f"body[data-state={name}]" for name in wanted)
        self.page.wait_for_selector(selector, timeout=seconds * 1000)
        return str(self.page.get_attribute("body", "data-state"))

    def one(self, test_id: str) -> Any:
        return self.page.get_by_test_id(test_id)

    def upload(self, paths: Sequence[Path]) -> None:
        self.page.set_input_files("[data-testid=files]", [str(path) for path in paths])

    def choose(self, option: str, value: str) -> None:
        """Fill in an option of the detector."""
        entry = self.page.locator(f"[data-testid=options] [data-name={option}] :is(input, select)")
        if entry.evaluate("entry => entry.localName") == "select":
            entry.select_option(label=value)
        else:
            entry.fill(value)

    def start(self, detector: str, **options: str) -> None:
        """From the report on, run a detector."""
        self.state("report")
        self.one("detector").select_option(detector)
        for name, value in options.items():
            self.choose(name, value)
        self.one("start").click()

    def find(self, paths: Sequence[Path], detector: str, **options: str) -> None:
        """Upload, run a detector, wait for what it found."""
        self.upload(paths)
        self.start(detector, **options)
        assert self.state("shown", "error", seconds=280) == "shown", self.page.inner_text("#app")

    def formats(self) -> set[str]:
        """The formats that are offered for download."""
        links = self.page.locator("[data-testid=downloads] a")
        return set(links.evaluate_all("links => links.map(link => link.dataset.format)"))

    def slide(self, test_id: str, value: int) -> None:
        """Move a slider."""
        self.one(test_id).fill(str(value))
        self.settle()

    def point_at(self, plane: str, across: float = 0.5, down: float = 0.5) -> None:
        """Hold the mouse over a place of a plane's canvas, as parts of its size."""
        box = self.page.locator(f'[data-plane="{plane}"] canvas').bounding_box()
        self.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        self.settle()

    def row(self, name: str) -> Any:
        return self.page.locator(f'[data-testid=finding][data-name="{name}"]')

    def go(self, name: str) -> None:
        self.row(name).locator(".go").click()
        self.settle()

    def settle(self) -> None:
        """Let two frames be drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def pixels(self, plane: str) -> NDArray[np.uint8]:
        """``(row, column, 3)``: what a plane's canvas shows, red, green and blue."""
        self.settle()
        width, height, text = self.page.evaluate(_PIXELS, [f'[data-plane="{plane}"] canvas'])
        flat = np.frombuffer(base64.b64decode(text), np.uint8)
        return flat.reshape(height, width, 4)[..., :3]

    def coloured(self, plane: str, colour: tuple[int, int, int], tolerance: int = 40) -> int:
        """How many pixels of a plane have about a colour."""
        away = np.abs(self.pixels(plane).astype(int) - colour).max(axis=-1)
        return int((away <= tolerance).sum())

    def bright_centre(self, plane: str) -> tuple[float, float]:
        """Mean place of the white pixels, ``(right, down)`` of the canvas's middle, -1 to 1."""
        white = (self.pixels(plane) >= 250).all(axis=-1)
        rows, columns = np.nonzero(white)
        height, width = white.shape
        return float(columns.mean() / width * 2 - 1), float(rows.mean() / height * 2 - 1)
