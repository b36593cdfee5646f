"""Send what the OpenAPI document allows, and what it does not, and count the answers.

Run as ``python -m tests.campaigns.calls --cases 5000``; the tests run a short form. schemathesis
makes the requests; half of the ids in them are those of an image, a job and an upload that exist.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx
from service import Service, install_detectors, series, service, until

_LONGEST_SECONDS = 60.0


@dataclass
class Outcome:
    """What a campaign counted."""

    cases: int = 0
    operations: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    undocumented: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0


def campaign(running: Service, scratch: Path, cases: int, prefix: str = "/v1/") -> Outcome:
    """Send about that many requests, as many to each call whose path begins so."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st
    from schemathesis import GenerationMode

    @schemathesis.serializer("application/dicom", "multipart/related")
    def as_bytes(_: Any, value: Any) -> bytes:
        made = getattr(value, "data", value)
        return made if isinstance(made, bytes) else str(made).encode()

    outcome = Outcome()
    known = _known(running, scratch)
    document = running.client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    wanted = [one.ok() for one in schema.get_all_operations()]
    wanted = [one for one in wanted if one.path.startswith(prefix)]
    outcome.operations = len(wanted)
    each = max(1, cases // len(wanted))
    for operation in wanted:
        modes = [
            operation.as_strategy(generation_mode=mode)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            if mode is GenerationMode.POSITIVE or _can_be_wrong(operation)
        ]

        @settings(
            max_examples=each,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.one_of(modes), st.booleans())
        def one(case: Any, real: bool) -> None:
            if real:
                case.path_parameters = {
                    **(case.path_parameters or {}),
                    **{k: v for k, v in known.items() if k in (case.path_parameters or {})},
                }
            _send(running, case, outcome)

        one()
    return outcome


def _can_be_wrong(operation: Any) -> bool:
    return bool(operation.query or operation.body or operation.headers)


def _send(running: Service, case: Any, outcome: Outcome) -> None:
    began = time.monotonic()
    called = f"{case.method} {case.operation.path}"
    try:
        answer = case.call(base_url=running.url, timeout=_LONGEST_SECONDS)
    except Exception as error:
        if type(error).__name__ in ("InvalidHeader", "UnicodeEncodeError", "InvalidURL"):
            return  # no client can send it
        outcome.faults.append(f"{called}: {type(error).__name__} {error}"[:300])
        return
    outcome.cases += 1
    outcome.slowest_seconds = max(outcome.slowest_seconds, time.monotonic() - began)
    status = answer.status_code
    outcome.statuses[status] += 1
    if status >= 500:
        outcome.faults.append(f"{called}: {status} {answer.text[:200]}")
    documented = set(map(str, case.operation.definition.raw["responses"]))
    if str(status) not in documented and not _by_the_framework(answer):
        outcome.undocumented.append(f"{called}: {status} {answer.text[:200]}")


def _by_the_framework(answer: Any) -> bool:
    """Whether the request never was one of a documented call: another path, or no HTTP."""
    if answer.status_code not in (400, 404, 405):
        return False
    try:
        return str(answer.json()["title"]) in ("Not Found", "Method Not Allowed")
    except (ValueError, KeyError, TypeError):
        return answer.text == "Invalid HTTP request received."


def _known(running: Service, scratch: Path) -> dict[str, str]:
    """Ids that exist."""
    image = running.upload(series(scratch / "known", seed="known")).raise_for_status().json()["id"]
    job = running.submit(image)["id"]
    running.wait(job)
    upload = httpx.post(f"{running.url}/v1/uploads").json()["id"]
    ids = {"image_id": image, "job_id": job, "upload_id": upload, "format": "csv"}
    uids = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}
    found = until(lambda: running.client.get("/dicomweb/instances").json() or None)[0]
    parts = {"frames": "1", "frame": "1", "element": "7FE00010"}
    return ids | parts | {name: found[tag]["Value"][0] for name, tag in uids.items()}


def main() -> None:
    """Run a campaign and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--prefix", default="/v1/")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["PYTHONPATH"] = install_detectors(scratch / "site")
        with service(scratch / "data", quiet=True) as running:
            outcome = campaign(running, scratch, asked.cases, asked.prefix)
    for name, value in vars(outcome).items():
        print(f"{name}: {dict(value) if isinstance(value, Counter) else value}")  # noqa: T201


if __name__ == "__main__":
    main()
