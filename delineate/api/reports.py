"""``/v1/jobs/ID/report``: a result as a page to look at and to print."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from delineate.api.faults import documented
from delineate.api.results import Done, Drawn, made
from delineate.api.state import Service
from delineate.delineation.report import style_hash

__all__ = ["router"]

router = APIRouter(tags=["results"])

# The page is data: its own style, its own pictures, and nothing else.
_CSP = (
    "default-src 'none'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox"
)


@router.get(
    "/jobs/{job_id}/report",
    response_class=FileResponse,
    responses={
        200: {"description": "A page.", "content": {"text/html": {}}},
        **documented(404, 409, 422, 507),
    },
)
async def report(job: Done, service: Service) -> FileResponse:
    """The export ``html``, shown instead of saved."""
    folder = await made(job, "html", Drawn(smooth_mm=0.0, simplify_mm=0.0), service)
    path = next((folder / "file").iterdir())
    headers = {"Content-Security-Policy": _CSP.format(style_hash())}
    return FileResponse(path, media_type="text/html", headers=headers)
