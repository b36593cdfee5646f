"""A process that runs errands for the API, so that no broken file and no plugin can hurt it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from delineate import errors
from delineate.errors import DelineateError
from delineate.jobs.log import log

__all__ = ["Assistant"]

_LONGEST_LINE = 2**28


class Assistant:
    """One child process, started when needed, that runs one errand at a time.

    Parameters
    ----------
    blame
        The error to raise if the process dies or takes too long.
    module
        What runs in the process.
    """

    def __init__(
        self,
        blame: type[DelineateError] = DelineateError,
        module: str = "delineate.jobs.errands",
    ) -> None:
        self._blame, self._module = blame, module
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, errand: str, seconds: float, **arguments: Any) -> Any:
        """Run one of the functions of the module, by default ``delineate.jobs.errands``.

        Raises
        ------
        DelineateError
            As the errand raised it; ``blame`` if it killed the process or took longer than
            ``seconds``, which ends the process.
        """
        line = json.dumps({"errand": errand, "with": arguments}).encode() + b"\n"
        async with self._turn:
            process = await self._ready()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                async with asyncio.timeout(seconds):
                    process.stdin.write(line)
                    await process.stdin.drain()
                    reply = await process.stdout.readline()
            except TimeoutError:
                await self.close()
                raise self._blame(f"this took longer than {seconds:g} s and was stopped") from None
            except ConnectionError:
                reply = b""
            except BaseException:
                await self.close()
                raise
            if not reply:
                await self.close()
                log.warning("errand killed its process", where=errand)
                raise self._blame("reading these files ended the process that read them")
        answer = json.loads(reply)
        if "error" in answer:
            raise _error(answer["error"])
        return answer["answer"]

    async def close(self) -> None:
        """End the process; the next errand starts another."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _ready(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is not None:
            await self.close()
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                str(os.getpid()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # parsers quote what they read
                start_new_session=True,
                limit=_LONGEST_LINE,
            )
        return self._process


def _error(told: dict[str, Any]) -> DelineateError:
    kind = getattr(errors, told["name"], DelineateError)
    error: DelineateError = kind(told["message"])
    return error
