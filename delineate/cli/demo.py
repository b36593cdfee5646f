"""``delineate demo``: a generated torso goes in over REST, its organs appear on the page."""

from __future__ import annotations

import json
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from delineate.cli.phantom import write_phantom
from delineate.cli.screen import errors, findings_table, output, progress_bar
from delineate.errors import DelineateError, DetectorError, MissingExtraError

__all__ = ["demo"]


def demo(
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65535)] = 8000,
    data: Annotated[
        Path | None, typer.Option(help="Keep uploads and results in this folder.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Open no browser; stop after the first result.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Start the service, upload a generated CT, show the page with its contours."""
    try:
        import httpx

        from delineate import jobs
    except ImportError as error:
        raise MissingExtraError(
            f"the demo needs a package that is missing ({error.name}); "
            "install it with: pip install 'delineate[all]'"
        ) from error

    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="delineate-")))
        with errors.status("generating a torso phantom as a DICOM series"):
            files = write_phantom(scratch / "phantom")
        output.print(f"generated a CT of {len(files)} slices (no patient: a phantom)")
        settings = jobs.Settings(data=data or scratch / "data", quiet=True)
        url = stack.enter_context(jobs.running(port=0 if once else port, settings=settings))
        client = stack.enter_context(httpx.Client(base_url=url, timeout=120))
        image = _ok(client.post("/v1/images", files=[("files", _part(path)) for path in files]))
        output.print(f"uploaded to {url}: {image['report']['advice']}", highlight=False)
        asked = {"image_id": image["id"], "detector": "organs.ct"}
        job = _follow(client, _ok(client.post("/v1/jobs", json=asked))["id"])
        if job["state"] != "done":
            raise DetectorError(f"the job ended as {job['state']}: {job['error']}", "organs.ct")
        result = _ok(client.get(f"/v1/jobs/{job['id']}/result"))
        output.print(findings_table(result["findings"], result["detector"]["title"]))
        address = f"{url}/#job={job['id']}"
        output.print(f"\nThe page with the contours: {address}", highlight=False, soft_wrap=True)
        if once:
            return
        if browser:
            webbrowser.open(address)
        output.print("Stop with Ctrl-C.")
        while True:
            time.sleep(3600)


def _part(path: Path) -> tuple[str, bytes, str]:
    return path.name, path.read_bytes(), "application/dicom"


def _follow(client: Any, job_id: str) -> dict[str, Any]:
    """Show a job's progress until it has ended."""
    with progress_bar() as progress:
        task = progress.add_task("queued", total=1.0)
        job: dict[str, Any] = {}
        for job in _events(client, f"/v1/jobs/{job_id}/events"):
            progress.update(task, completed=job["progress"], description=job["stage"] or "queued")
    return job


def _events(client: Any, path: str) -> Iterator[dict[str, Any]]:
    with client.stream("GET", path, timeout=None) as response:
        for line in response.iter_lines():
            if line.startswith("data:"):
                yield json.loads(line.removeprefix("data:"))


def _ok(response: Any) -> Any:
    if response.is_error:
        raise DelineateError(f"the service answered {response.status_code}: {response.text}")
    return response.json()
