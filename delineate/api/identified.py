"""Results with their patient put back in, for those who may see who it is."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Request
from fastapi.responses import FileResponse
from pydantic import Field
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from delineate.api.access import needs
from delineate.api.state import State
from delineate.jobs.table import Job

__all__ = ["Whose", "identified"]

Whose = Annotated[
    Literal["pseudonym", "original"],
    Field(
        description="Where the service takes patients out of uploads: original puts them back in "
        "and needs the scope identify."
    ),
]


async def identified(request: Request, job: Job, path: Path, service: State) -> FileResponse:
    """A file of a result with its patient; made anew each time and kept nowhere.

    Raises
    ------
    ForbiddenError
        If whoever asks lacks the scope.
    NotFoundError
        If no patient was taken out.
    """
    needs("identify")(request, None, None)
    store = service.store.of(job.tenant)
    stored = await run_in_threadpool(store.image, job.image_id)
    made = ExitStack()
    try:
        target = made.enter_context(store.incoming()) / path.name
        await service.writer.run(
            "reidentify",
            service.settings.export_seconds,
            path=str(path),
            target=str(target),
            tenant=job.tenant,
            paths=[str(one) for one in stored.files],
            series=job.series,
        )
    except BaseException:
        made.close()
        raise
    return FileResponse(
        target,
        filename=f"{job.id}-{path.name}",
        headers={"Cache-Control": "no-store"},
        background=BackgroundTask(made.close),
    )
