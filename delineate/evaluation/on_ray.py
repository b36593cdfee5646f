"""Score cases on a Ray cluster; nothing that comes of it differs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from delineate.errors import MissingExtraError
from delineate.evaluation.case import Case, Rules, Scored
from delineate.evaluation.chunks import Outcomes, score_by
from delineate.evaluation.keeping import score_chunk

__all__ = ["OnRay"]

_AHEAD = 2  # chunks for each core


class OnRay:
    """Scores cases as tasks of Ray; a `pool.Scorer`.

    The nodes have delineate, and all files at the same places as here. A chunk whose node dies is
    taken up by another; what cannot be scored there is tried here.

    Parameters
    ----------
    address
        Of the cluster, such as ``ray://head:10001``. ``None``: that of the environment
        (``RAY_ADDRESS``); without it Ray starts on this machine.
    tell
        Is told what was scored here instead, and why.
    """

    def __init__(
        self, address: str | None = None, *, tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self._address, self._tell = address, tell

    def __call__(
        self,
        cases: Sequence[Case],
        rules: Rules,
        folder: Path | None,
        done: Callable[[int], None] = lambda _: None,
    ) -> list[Scored]:
        """Score cases; the arguments are those of `pool.score_all`.

        Raises
        ------
        MissingExtraError
            If Ray is not installed.
        """
        with _connected(self._address) as ray:
            cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
            there = partial(self._there, ray, rules, cores * _AHEAD)
            return score_by(there, cores, cases, rules, folder, done)

    def _there(self, ray: Any, rules: Rules, ahead: int, chunks: deque[Sequence[Case]]) -> Outcomes:
        task = ray.remote(num_cpus=1, max_retries=3)(score_chunk)
        waiting: dict[Any, Sequence[Case]] = {}
        while chunks or waiting:
            while chunks and len(waiting) < ahead:
                chunk = chunks.popleft()
                waiting[task.remote(chunk, rules)] = chunk
            (ended, *_), _ = ray.wait(list(waiting))
            chunk, found = waiting.pop(ended), None
            try:
                found = ray.get(ended)
            except ray.exceptions.RayError as error:
                cause = str(error).strip().partition("\n")[0]
                self._tell(f"{chunk[0].name} and what was with it: {cause}; scored here")
            yield chunk, found


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, for the time of a block; a connection that was there before stays."""
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise MissingExtraError(
            "this needs Ray, which is missing; install it with: pip install 'delineate[ray]', or "
            "give a number of processes"
        ) from error
    before = ray.is_initialized()
    if not before:
        ray.init(address=address, log_to_driver=False, include_dashboard=False)
    try:
        yield ray
    finally:
        if not before:
            ray.shutdown()
