"""Processes that should always be there: started, started again when they die, stopped."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence

from delineate.jobs.settings import Settings

__all__ = ["HOPELESS", "Process", "stop"]

HOPELESS = 5  # so many deaths in a row, and it will not live
_GRACE_SECONDS = 20.0  # more than the API takes to answer what it is asked
_STEADY_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 5.0


class Process:
    """A process that should always be there.

    Parameters
    ----------
    name
        For those who look at it.
    command
        Gets this process's id as its last argument, so that it can die with it.
    settings
        Told through its environment.
    keep
        File descriptors that it inherits.
    environment
        Variables besides.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        settings: Settings,
        keep: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.deaths = 0
        self.running: subprocess.Popen[bytes] | None = None
        self._command = list(command)
        self._environment = {**os.environ, **settings.to_environment(), **(environment or {})}
        self._keep = tuple(keep)
        self._started = 0.0
        self._again_at = 0.0

    def tend(self) -> None:
        """Start it if it is not running: at once, then after longer and longer pauses."""
        now = time.monotonic()
        if self.running is not None and self.running.poll() is None:
            if now - self._started > _STEADY_SECONDS:
                self.deaths = 0
            return
        if self.running is not None:
            self.running = None
            self.deaths += 1
            self._again_at = now + min(_LONGEST_PAUSE_SECONDS, 0.1 * 2 ** (self.deaths - 1))
        if now >= self._again_at:
            self._started = now
            self.running = subprocess.Popen(
                [*self._command, str(os.getpid())],
                env=self._environment,
                pass_fds=self._keep,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )


def stop(processes: Sequence[Process]) -> None:
    """Ask all to end, and kill those that do not in time."""
    started = [one.running for one in processes if one.running is not None]
    for process in started:
        process.terminate()
    deadline = time.monotonic() + _GRACE_SECONDS
    for process in started:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
