"""How fast the page shows a large scan with many outlines, beside NiiVue in the same browser.

Run as ``python benchmarks/page.py [--slices 300] [--patience 240]``; needs Debian's chromium, and
npm for NiiVue, which is installed into a scratch folder.

A synthetic CT of 512 x 512 samples a slice with 12 structures. From the click on the address of a
result until its first slice is seen (bar: 1.5 s), until all slices and outlines are there; from
the beginning of the frame of a slice change until its pixels can be read back from all three
planes (bars: 16 ms axial, 33 ms coronal and sagittal, 95th percentiles), and the processor time of
the whole frame, which other work on the machine does not change; the memory of the tab.
NiiVue gets the same samples and labels as NIfTI and changes the same slices.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from measure import report

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))
import page_detectors
from service import Service, service

from delineate.formats import nifti
from delineate.imaging import Grid, Image

NIIVUE = "0.69.0"
STRUCTURES, SIZE, CHANGES = 12, 512, 60
BARS_MS = {"axial": 16.0, "coronal": 33.0, "sagittal": 33.0}

# From the beginning of a frame until what it drew can be read back; the key goes before.
_CHANGES = """async ([plane, key, count]) => {
  const canvases = [...document.querySelectorAll(".pane > canvas")];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  document.querySelector(`[data-plane="${plane}"] .expand`).click();
  await frame();
  await frame();
  const times = [];
  for (let i = 0; i < count; i++) {
    let start = 0;
    requestAnimationFrame(() => (start = performance.now()));
    window.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    await frame();
    for (const canvas of canvases) canvas.getContext("2d").getImageData(0, 0, 1, 1);
    times.push(performance.now() - start);
  }
  return times;
}"""
_OPEN = """async ([fragment]) => {
  const start = performance.now();
  const link = document.createElement("a");
  link.href = fragment;
  document.body.append(link);
  link.click();
  link.remove();
  const lit = () => {
    const canvas = document.querySelector('[data-plane="axial"] canvas');
    if (!canvas || !canvas.width) return false;
    const { width, height } = canvas;
    const middle = canvas.getContext("2d").getImageData(width / 4, height / 2, width / 2, 1).data;
    return middle.some((value, i) => i % 4 < 3 && value > 60);
  };
  const until = async (seen) => {
    while (!seen()) await new Promise((done) => setTimeout(done, 10));
    return (performance.now() - start) / 1000;
  };
  const first = await until(lit);
  const whole = await until(() => document.body.dataset.state === "shown");
  return [first, whole];
}"""
_NIIVUE = """<!doctype html><canvas id="gl" width="1080" height="704"></canvas>
<script type="module">
import { Niivue, SLICE_TYPE } from "./node_modules/@niivue/niivue/dist/index.min.js";
window.begin = async () => {
  const start = performance.now();
  const view = new Niivue({ show3Dcrosshair: true });
  await view.attachToCanvas(document.getElementById("gl"));
  view.setSliceType(SLICE_TYPE.MULTIPLANAR);
  const labels = { url: "labels.nii", colormap: "freesurfer", opacity: 0.4 };
  await view.loadVolumes([{ url: "image.nii" }, labels]);
  const { gl } = view;
  const pixel = new Uint8Array(4);
  const read = () => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  view.drawScene();
  read();
  window.change = async (axis, count) => {
    const times = [];
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      view.scene.crosshairPos[axis] += 1 / 512;
      view.drawScene();
      read();
      times.push(performance.now() - start);
    }
    return times;
  };
  return (performance.now() - start) / 1000;
};
</script>"""


_BEGIN = """() => {
  const told = (ready) => { window.ready = ready; };
  window.begin().then(told, (error) => told(String(error)));
}"""


def scan(slices: int) -> tuple[Image, np.ndarray[Any, Any]]:
    """Twelve bumpy ellipsoids in noise, and their labels."""
    shape = (slices, SIZE, SIZE)
    random = np.random.default_rng(0)
    array = random.integers(-25, 26, shape, np.int16)
    labels = np.zeros(shape, np.uint8)
    axes = np.ogrid[:slices, :SIZE, :SIZE]
    for n in range(STRUCTURES):
        row, column = 90 + 165 * (n // 4), 76 + 120 * (n % 4)
        slice_ = slices * (0.35 + 0.3 * (n % 3) / 2)
        z, y, x = (
            (axes[0] - slice_) / (slices * 0.33),
            (axes[1] - row) / 74,
            (axes[2] - column) / 56,
        )
        bumps = 0.12 * np.sin(9 * np.arctan2(y, x) + n) + 0.06 * np.sin(14 * z)
        inside = (z**2 + y**2 + x**2 < (1 + bumps) ** 2) & (labels == 0)
        labels[inside] = n + 1
    array += np.where(labels > 0, 130 + 60 * (labels.astype(np.int16) - 1), 0).astype(np.int16)
    affine = np.array([[0, 0, 0.8, 0], [0, 0.8, 0, 0], [1.5, 0, 0, 0], [0, 0, 0, 1.0]])
    return Image(array, Grid(shape, affine), "CT"), labels


def quantiles(times: list[float], name: str) -> dict[str, float]:
    middle, high = np.quantile(times, (0.5, 0.95))
    return {f"{name}, p50 [ms]": float(middle), f"{name}, p95 [ms]": float(high)}


def tabs(browser: Any) -> list[int]:
    """Processes of the tabs that are open."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    ids = [int(each["id"]) for each in processes if each["type"] == "renderer"]
    return [pid for pid in ids if Path(f"/proc/{pid}").exists()]


def resident_mb(browser: Any) -> float:
    """Memory of the largest tab, from the kernel."""
    statuses = [Path(f"/proc/{pid}/status").read_text().splitlines() for pid in tabs(browser)]
    lines = [next(x for x in status if x.startswith("VmRSS")) for status in statuses]
    return max(int(line.split()[1]) / 1024 for line in lines)


def busy_ms(browser: Any) -> float:
    """Processor time of the main threads of all tabs, from the kernel."""
    stats = [Path(f"/proc/{pid}/task/{pid}/stat").read_text() for pid in tabs(browser)]
    ticks = [stat.rsplit(")", 1)[1].split()[11:13] for stat in stats]
    return sum(int(part) for pair in ticks for part in pair) * 1000 / os.sysconf("SC_CLK_TCK")


def job_of(running: Service, path: Path) -> str:
    """A finished result on an image; its address."""
    image = running.upload([path]).raise_for_status().json()
    job = running.submit(image["id"], "page.twelve")
    running.wait(job["id"], "done", seconds=600)
    volume = f"{running.url}/v1/images/{image['id']}/volume"
    with httpx.stream("GET", volume, timeout=600) as response:  # kept from now on
        for _ in response.iter_raw():
            pass
    return str(job["id"])


def of_page(browser: Any, url: str, job: str) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1400, "height": 860})
    page = context.new_page()
    page.set_default_timeout(600_000)
    page.goto(url)
    page.wait_for_selector(".installed li")
    first, whole = page.evaluate(_OPEN, [f"#job={job}"])
    figures = {"page: first picture [s]": first, "page: all slices and outlines [s]": whole}
    for plane in BARS_MS:
        page.evaluate(_CHANGES, [plane, "ArrowDown", 5])
        before = busy_ms(browser)
        times = page.evaluate(_CHANGES, [plane, "ArrowDown", CHANGES])
        figures |= quantiles(times, f"page: {plane}")
        figures[f"page: {plane}, processor time [ms]"] = (busy_ms(browser) - before) / CHANGES
    heap = context.new_cdp_session(page)
    heap.send("Performance.enable")
    metrics = {m["name"]: m["value"] for m in heap.send("Performance.getMetrics")["metrics"]}
    figures["page: heap of the tab [MB]"] = metrics["JSHeapUsedSize"] / 2**20
    figures["page: resident memory of the tab [MB]"] = resident_mb(browser)
    context.close()
    return figures


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def niivue_site(folder: Path, image: Image, labels: np.ndarray[Any, Any]) -> Iterator[str]:
    """Address of a page with NiiVue and the same volume."""
    npm = ["npm", "install", "--silent", "--prefix", str(folder), f"@niivue/niivue@{NIIVUE}"]
    subprocess.run(npm, check=True, cwd=folder)
    (folder / "index.html").write_text(_NIIVUE)
    nifti.write_image(image, folder / "image.nii")
    nifti.write_image(Image(labels.astype(np.int16), image.grid, "CT"), folder / "labels.nii")
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def of_niivue(browser: Any, url: str, patience: float) -> dict[str, Any]:
    context = browser.new_context(viewport={"width": 1400, "height": 860})
    page = context.new_page()
    page.set_default_timeout(patience * 1000)
    figures: dict[str, Any] = {}
    try:
        page.goto(url)
        page.wait_for_function("() => window.begin")
        page.evaluate(_BEGIN)
        page.wait_for_function("() => window.ready !== undefined", timeout=patience * 1000)
        figures["NiiVue: ready [s]"] = page.evaluate("() => window.ready")
        for axis, plane in ((2, "axial"), (1, "coronal"), (0, "sagittal")):
            times = page.evaluate(f"() => window.change({axis}, 12)")
            figures |= quantiles(times, f"NiiVue: {plane}")
        figures["NiiVue: resident memory of the tab [MB]"] = resident_mb(browser)
    except Exception as error:
        figures["NiiVue: not ready"] = f"after {patience:.0f} s: {str(error).splitlines()[0][:80]}"
    context.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--patience", type=float, default=240.0, help="seconds given to NiiVue")
    parser.add_argument("--alone", action="store_true", help="without NiiVue")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("expected chromium, found none; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        (folder / "site").mkdir()
        places = [*page_detectors.install(folder / "site"), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))
        image, labels = scan(options.slices)
        nifti.write_image(image, folder / "scan.nii")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with service(folder / "data") as running:
            job = job_of(running, folder / "scan.nii")
            figures: dict[str, Any] = {"slices": options.slices, "structures": STRUCTURES}
            figures |= of_page(browser, running.url, job)
        if not options.alone:
            (folder / "niivue").mkdir()
            with niivue_site(folder / "niivue", image, labels) as url:
                figures |= of_niivue(browser, url, options.patience)
        browser.close()
    figures["load of the machine"] = round(os.getloadavg()[0], 1)
    medians = {plane: f"{plane}, p50 [ms]" for plane in BARS_MS}
    ratios = {
        f"NiiVue / page, {plane}": figures[f"NiiVue: {name}"] / figures[f"page: {name}"]
        for plane, name in medians.items()
        if f"NiiVue: {name}" in figures
    }
    report("page", figures, ratios)


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"{time.perf_counter() - start:.0f} s")
