"""What the node can do (PS3.18 8.9): for people and for programs."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import iter_route_contexts

from delineate.api.access import Reader
from delineate.api.dicomweb.accept import accepted
from delineate.api.dicomweb.node import Dicom, Node
from delineate.api.dicomweb.resources import documented
from delineate.errors import NotAcceptableError
from delineate.jobs.dicom_attributes import ATTRIBUTES

__all__ = ["router"]

router = APIRouter()

_WADL = "application/vnd.sun.wadl+xml"
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "What can be asked.", "content": {"application/json": {}, _WADL: {}}},
    **documented(406),
}


@router.get("", response_class=Response, responses=_ANSWERS)
async def capabilities(request: Request, _who: Reader, node: Dicom) -> Response:
    """The calls that there are, and what is searched by."""
    return _answer(request, node)


@router.options("", response_class=Response, responses=_ANSWERS)
async def options(request: Request, _who: Reader, node: Dicom) -> Response:
    """The calls that there are, and what is searched by."""
    return _answer(request, node)


def _answer(request: Request, node: Node) -> Response:
    for one in accepted(request):
        if one.type in ("application/json", "application/*", "*/*"):
            return Response(_json(request, node), media_type="application/json")
        if one.type == _WADL:
            return Response(_wadl(request, node), media_type=_WADL)
    raise NotAcceptableError(f"capabilities are given as application/json or {_WADL}")


def _calls(request: Request) -> list[tuple[str, str, str]]:
    """Method, address below the node's and description of its calls."""
    found = []
    for context in iter_route_contexts(request.app.routes):
        path = context.path or ""
        if path.startswith("/dicomweb/") and context.methods:
            text = (context.endpoint.__doc__ or "").strip().partition("\n")[0]
            found += [(method, path[len("/dicomweb/") :], text) for method in context.methods]
    return sorted(set(found), key=lambda one: (one[1], one[0]))


def _json(request: Request, node: Node) -> bytes:
    import json

    told = {
        "base": node.base(request),
        "calls": [
            {"method": method, "path": path, "description": text}
            for method, path, text in _calls(request)
        ],
        "searched_by": [
            {"tag": one.tag, "keyword": one.keyword, "level": one.level} for one in ATTRIBUTES
        ],
        "fuzzymatching": False,
        "delete": node.service.settings.dicom_delete,
    }
    return json.dumps(told).encode()


def _wadl(request: Request, node: Node) -> bytes:
    resources: dict[str, list[str]] = {}
    for method, path, text in _calls(request):
        resources.setdefault(path, []).append(
            f'<method name="{method}"><doc>{escape(text)}</doc></method>'
        )
    listed = "".join(
        f'<resource path="{escape(path)}">{"".join(methods)}</resource>'
        for path, methods in resources.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<application xmlns="http://wadl.dev.java.net/2009/02">'
        f'<resources base="{escape(node.base(request))}/">{listed}</resources></application>'
    ).encode()
