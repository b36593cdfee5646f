"""Send broken uploads to a working service and count what it answers.

Run as ``python -m tests.campaigns.mutate --uploads 10000``; the tests run a short form. Slices,
zips, NIfTI files and multipart bodies are cut, overwritten, swapped and repeated at random.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx
from service import Service, ct, install_detectors, series, service, zipped

from delineate.formats import nifti


@dataclass
class Outcome:
    """What a campaign counted."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    left_behind: int = 0
    descriptors_more: int = 0


def campaign(running: Service, scratch: Path, uploads: int, seed: int = 0) -> Outcome:
    """Send that many mutated uploads."""
    outcome, chance = Outcome(), random.Random(seed)
    files = series(scratch / "ct")
    nifti.write_image(ct(), scratch / "a.nii")
    nifti.write_image(ct(), scratch / "a.nii.gz")
    whole = {
        "slices": (b"".join(_part(path) for path in files) + b"--x--\r\n", True),
        "zip": (zipped(files), False),
        "nii": ((scratch / "a.nii").read_bytes(), False),
        "gz": ((scratch / "a.nii.gz").read_bytes(), False),
        "slice": (files[0].read_bytes(), False),
    }
    before = _descriptors(running)
    for number in range(uploads):
        kind, (body, is_multipart) = chance.choice(list(whole.items()))
        for _ in range(chance.randint(1, 3)):
            body = chance.choice(_MUTATIONS)(body, chance)
        headers = {"Content-Type": "multipart/form-data; boundary=x"} if is_multipart else {}
        began = time.monotonic()
        try:
            answer = running.client.post("/v1/images", content=body, headers=headers)
        except httpx.TransportError as error:
            outcome.faults.append(f"{number} {kind}: {type(error).__name__}")
            continue
        outcome.slowest_seconds = max(outcome.slowest_seconds, time.monotonic() - began)
        outcome.statuses[answer.status_code] += 1
        if answer.status_code >= 500:
            outcome.faults.append(f"{number} {kind}: {answer.text}")
    outcome.left_behind = len(
        list((running.settings.data / "tenants" / "local" / "incoming").iterdir())
    )
    outcome.descriptors_more = _descriptors(running) - before
    return outcome


def _part(path: Path) -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
    return head.encode() + path.read_bytes() + b"\r\n"


def _descriptors(running: Service) -> int:
    return len(os.listdir(f"/proc/{running.pid('api')}/fd"))


def _cut(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def _overwritten(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randint(1, 20)):
        if changed:
            # Headers stand at the front: most of the damage goes there.
            end = chance.choice((len(changed), min(len(changed), 1500)))
            changed[chance.randrange(end)] = chance.choice((0, 1, 127, 255, chance.randrange(256)))
    return bytes(changed)


def _without_a_piece(body: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(body) + 1)
    return body[:start] + body[start + chance.randint(1, 200) :]


def _with_a_piece_twice(body: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(body) + 1)
    piece = body[start : start + chance.randint(1, 2000)]
    return body[:start] + piece * chance.randint(2, 5) + body[start:]


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut,
    _overwritten,
    _overwritten,
    _without_a_piece,
    _with_a_piece_twice,
)


def main() -> None:
    """Run a campaign and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["PYTHONPATH"] = install_detectors(scratch / "site")
        with service(scratch / "data") as running:
            outcome = campaign(running, scratch, asked.uploads, asked.seed)
    for name, value in vars(outcome).items():
        print(f"{name}: {dict(value) if isinstance(value, Counter) else value}")  # noqa: T201


if __name__ == "__main__":
    main()
