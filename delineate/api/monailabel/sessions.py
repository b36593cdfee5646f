"""``/session/``: images that are kept while somebody works on them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from delineate.api.access import Runner
from delineate.api.faults import documented
from delineate.api.monailabel.answers import attached
from delineate.api.monailabel.files import file_name, image_file
from delineate.api.monailabel.forms import form, received
from delineate.api.monailabel.subjects import datastore_of, subject_of
from delineate.api.monailabel.temporary import LONGEST_SECONDS, close, open_session
from delineate.api.state import Service
from delineate.errors import UploadError
from delineate.jobs.datastore import Session

__all__ = ["router"]

router = APIRouter(prefix="/session", tags=["MONAI Label"])

SessionId = Annotated[str, Path(max_length=64)]


@router.put("/", responses=documented(413, 422, 507), openapi_extra=form("files"))
async def begin(
    request: Request,
    who: Runner,
    service: Service,
    expiry: Annotated[int, Query(description="Seconds from the last use on; 0: an hour.")] = 0,
) -> dict[str, Any]:
    """Keep an image for a while: one file, an archive, or the files of a series."""
    store = service.store.of(who.tenant)
    seconds = min(expiry, LONGEST_SECONDS) if expiry > 0 else LONGEST_SECONDS
    with store.incoming() as folder:
        sent = await received(request, service, folder)
        if [*sent.files] != ["files"]:
            raise UploadError("expected the image in the field 'files', in one file or several")
        session = await open_session(service, store, folder, sent.files["files"], seconds)
    return {"session_id": session.id, "session_info": _told(session)}


@router.get("/{session_id}", responses=documented(404, 422, 507), response_model=None)
async def session(
    session_id: SessionId,
    who: Runner,
    service: Service,
    update_ts: bool = False,
    image: Annotated[bool, Query(description="The image's file instead.")] = False,
) -> dict[str, Any] | Response:
    """What is known of a session; 404 once it has expired."""
    kept = datastore_of(service)
    found = await run_in_threadpool(kept.session, who.tenant, session_id, use=update_ts)
    if not image:
        return _told(found)
    stored = await run_in_threadpool(service.store.of(who.tenant).image, found.image_id)
    subject = subject_of(stored)
    path = await image_file(service, stored, subject)
    return attached(path, file_name("image", subject.suffix))


@router.delete("/{session_id}", responses=documented(404))
def end(session_id: SessionId, who: Runner, service: Service) -> dict[str, Any]:
    """Drop a session, its image, and what was found in it."""
    found = datastore_of(service).session(who.tenant, session_id)
    close(service, found)
    return _told(found)


def _told(session: Session) -> dict[str, Any]:
    return {
        "name": session.id,
        "path": "",
        "image": session.image_id,
        "meta": {},
        "create_ts": session.created,
        "last_access_ts": session.used,
        "expiry": session.expiry,
    }
