"""Score cases on all cores: processes that stay, chunks of cases, one case in memory of each."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from delineate.evaluation.case import Case, Rules, Scored
from delineate.evaluation.keeping import score_chunk

__all__ = ["Scorer", "score_all"]

# Scores cases by rules, keeps them in a folder, and tells how many more are done.
Scorer = Callable[[Sequence[Case], Rules, Path | None, Callable[[int], None]], list[Scored]]

_CHUNKS_A_WORKER, _LARGEST_CHUNK = 8, 8  # the last chunk is waited for by all
_DIED = (
    "its process died, most likely for want of memory: use fewer --workers, or see whether a file "
    "is damaged"
)


def score_all(
    cases: Sequence[Case],
    rules: Rules,
    folder: Path | None,
    done: Callable[[int], None] = lambda _: None,
    workers: int | None = None,
) -> list[Scored]:
    """Score cases; the order is that of the cases, whichever is done first.

    Parameters
    ----------
    cases, rules, folder
        As for `score_chunk`.
    done
        Is told how many more cases are done.
    workers
        Processes; ``None``: one for each core. One computes here, with threads. No more than
        there are cases; the cores that are left become threads.

    Notes
    -----
    A case whose process dies (memory, a crash of a library) fails alone: those that were with it
    are scored again, each in a process of its own.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = cores or 1
    processes = max(1, min(workers or cores, len(cases)))
    threads = max(1, cores // processes)
    if processes == 1:
        found = []
        for case in cases:
            found += score_chunk([case], rules, folder, threads)
            done(1)
        return found
    size = max(1, min(_LARGEST_CHUNK, len(cases) // (processes * _CHUNKS_A_WORKER)))
    queue = deque(cases[start : start + size] for start in range(0, len(cases), size))
    scored: dict[str, Scored] = {}
    suspects: deque[Sequence[Case]] = deque()
    while queue:
        for chunk, result in _in_processes(queue, rules, folder, processes, threads):
            if result is None:
                suspects.extend([case] for case in chunk)
            else:
                scored |= {one.case: one for one in result}
                done(len(result))
    while suspects:
        for (case,), result in _in_processes(suspects, rules, folder, 1, threads, ahead=1):
            scored[case.name] = result[0] if result else Scored(case=case.name, error=_DIED)
            done(1)
    return [scored[case.name] for case in cases]


def _in_processes(
    queue: deque[Sequence[Case]],
    rules: Rules,
    folder: Path | None,
    processes: int,
    threads: int,
    ahead: int = 2,
) -> Iterator[tuple[Sequence[Case], list[Scored] | None]]:
    """What came of chunks, taken from the queue until a process dies.

    Those that were in hand then, ``ahead`` for each process, have ``None``.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin) as pool:
        waiting: dict[Future[list[Scored]], Sequence[Case]] = {}
        broken = False
        while waiting or (queue and not broken):
            while queue and not broken and len(waiting) < processes * ahead:
                try:
                    with _without_main():  # the first starts the processes
                        future = pool.submit(score_chunk, queue[0], rules, folder, threads)
                    waiting[future] = queue.popleft()
                except BrokenProcessPool:
                    broken = True
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                chunk = waiting.pop(future)
                try:
                    yield chunk, future.result()
                except BrokenProcessPool:
                    broken = True
                    yield chunk, None


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that start in it do not import the program that runs, for nothing of it is needed.

    It takes a while, and a script without ``if __name__ == "__main__"`` would evaluate once more.
    """
    main = sys.modules["__main__"]
    held = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    try:
        for name in held:
            setattr(main, name, None)
        yield
    finally:
        for name, value in held.items():
            setattr(main, name, value)


def _begin() -> None:
    """Look for garbage seldom, for a case leaves little; end when the parent is gone."""
    gc.set_threshold(10_000)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
