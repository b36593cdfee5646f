"""Every HTTP code there is: which error is answered by which, as ``application/problem+json``."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from delineate.errors import (
    AccessError,
    ConflictError,
    DelineateError,
    InputError,
    MediaTypeError,
    MissingExtraError,
    NotAcceptableError,
    NotFoundError,
    QueryError,
    RemoteError,
    SeriesChoiceError,
    StorageFullError,
    ThrottledError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)

__all__ = [
    "KNOWN",
    "STATUS",
    "Problem",
    "RefusedUploadError",
    "answer",
    "documented",
    "install",
    "problem",
]

# The nearest ancestor decides, so that a new error has a code the day it is written.
STATUS: Mapping[type[Exception], int] = {
    QueryError: 400,
    UnauthenticatedError: 401,
    AccessError: 403,
    NotFoundError: 404,
    NotAcceptableError: 406,
    ConflictError: 409,
    TooLargeError: 413,
    MediaTypeError: 415,
    InputError: 422,
    ThrottledError: 429,
    DelineateError: 500,
    RemoteError: 502,
    MissingExtraError: 503,
    UnavailableError: 503,
    OperationalError: 503,
    InterfaceError: 503,
    StorageFullError: 507,
    Exception: 500,
}
# Errors that are answered as they are; all others are faults of ours and told by their kind only.
KNOWN = (DelineateError, OperationalError, InterfaceError)
_MEANING = {
    400: "The query is not well-formed.",
    401: "No key, or none that is known.",
    403: "The request comes from another site, or its key lacks the scope.",
    404: "No such image, job or detector.",
    405: "The settings do not allow it.",
    406: "It cannot be given in any media type that is accepted.",
    409: "The job is in no state for this.",
    413: "A limit on size is exceeded.",
    415: "A body of this media type is not taken.",
    422: "The input cannot be used as it is.",
    429: "Too many wrong keys came from this address.",
    500: "A fault of the service.",
    502: "Another server refused.",
    503: "The service is not ready.",
    507: "No room is left.",
}


class RefusedUploadError(InputError):
    """An upload without any usable series; ``report`` says why."""

    def __init__(self, message: str, report: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.report = report


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def status_of(error: BaseException) -> int:
    """The code for an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """The answer that tells an error."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    headers = {"Cache-Control": "no-store"}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says of its errors; some may come from every route."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    every = sorted({*statuses, 401, 403, 422, 429, 500, 503})
    return {code: {"description": _MEANING[code], "content": content} for code in every}


def install(app: FastAPI) -> None:
    """Have an application answer all errors so."""
    for kind in KNOWN:
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def answer(error: Exception) -> JSONResponse:
    """What one of the `KNOWN` errors is answered by."""
    if not isinstance(error, DelineateError):
        return problem(503, "NotReady", "the database does not answer; try again in a moment")
    more: dict[str, Any] = {}
    if isinstance(error, SeriesChoiceError):
        # Without their descriptions: somebody's name may stand there.
        more["series"] = [{**one, "description": ""} for one in error.series]
    if isinstance(error, RefusedUploadError):
        more["report"] = error.report
    told = problem(status_of(error), _title(error), str(error), **more)
    if isinstance(error, UnauthenticatedError):
        # Basic is taken too, and not named: a browser would ask in a window of its own.
        told.headers["WWW-Authenticate"] = 'Bearer realm="delineate"'
    if isinstance(error, ThrottledError):
        told.headers["Retry-After"] = str(error.seconds)
    return told


async def _known(_request: Request, error: Exception) -> JSONResponse:
    return answer(error)


def _title(error: Exception) -> str:
    return "UploadError" if isinstance(error, RefusedUploadError) else type(error).__name__


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    broken = next((one for one in error.errors() if one["type"] == "json_invalid"), None)
    if broken is not None:
        what = broken.get("ctx", {}).get("error", "broken")
        detail = (
            f"the body is no JSON ({what} at character {broken['loc'][-1]}); expected one object, "
            "in double quotes, with Content-Type: application/json; /docs shows it"
        )
        return problem(422, "InvalidRequest", detail)
    told = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
    return problem(422, "InvalidRequest", f"{'; '.join(told[:10])}. /docs shows what is expected")


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 400 and error.detail == "There was an error parsing the body":
        detail = "the body is no text in UTF-8, or no form; /docs shows what is expected"
        return problem(422, "InvalidRequest", detail)
    title = HTTPStatus(error.status_code).phrase
    detail = {
        404: "there is nothing at this address; /docs lists the calls",
        405: f"{request.method} is not possible here; /docs lists the calls",
    }.get(error.status_code, str(error.detail))
    answer = problem(error.status_code, title, detail)
    answer.headers.update(error.headers or {})
    return answer
