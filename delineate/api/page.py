"""The page at ``/`` and the list of calls at ``/docs``; neither loads anything from elsewhere."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

__all__ = ["install"]

_MISSING = (
    "The page of this service is not built. In the folder web/ of the source, run: "
    "npm ci && npm run build. The calls work without it; /docs lists them.\n"
)


def install(app: FastAPI) -> None:
    """Serve the page; after all other routes, since it takes every address."""

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(_docs(app))

    folder = Path(str(files("delineate.viewers") / "web"))
    if (folder / "index.html").is_file():
        app.mount("/", StaticFiles(directory=folder, html=True), name="page")
        return

    @app.get("/", include_in_schema=False)
    def missing() -> PlainTextResponse:
        return PlainTextResponse(_MISSING, 503)


def _docs(app: FastAPI) -> str:
    """The OpenAPI document as a page without scripts."""
    rows = []
    for path, calls in app.openapi()["paths"].items():
        for method, call in calls.items():
            answers = "".join(
                f"<li>{code}: {escape(answer['description'])}</li>"
                for code, answer in sorted(call["responses"].items())
            )
            rows.append(
                f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
                f"<p>{escape(call.get('description', ''))}</p><ul>{answers}</ul>"
            )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>delineate: calls</title>'
        f"<h1>{escape(app.title)} {escape(app.version)}</h1><p>{escape(app.description)}</p>"
        '<p>For programs: <a href="/openapi.json">openapi.json</a></p>'
        f"{''.join(rows)}</html>"
    )
