"""By which names the service is called, and which other pages may call it."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from delineate.api.app import create
from delineate.jobs.settings import Settings

VIEWER = "https://viewer.example"


@cache
def application(hosts: tuple[str, ...], origins: tuple[str, ...]) -> FastAPI:
    return create(Settings(data=Path("unused"), hosts=hosts, origins=origins))


def asked(
    method: str,
    path: str,
    keys: bool = True,
    hosts: tuple[str, ...] = (),
    origins: tuple[str, ...] = (VIEWER,),
    **headers: str,
) -> httpx.Response:
    """Ask an application that was not started: what surrounds the calls answers all the same."""
    app = application(hosts, origins)

    async def noted(_: Any) -> None: ...

    app.state.service = SimpleNamespace(
        identity=SimpleNamespace(asked_for=keys), ledger=SimpleNamespace(changed=noted)
    )

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, path, headers=named)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("keys", "hosts", "host", "answered"),
    [
        (False, (), "localhost:8000", True),
        (False, (), "[::1]:8000", True),
        (False, (), "evil.example", False),
        (False, ("ward.example",), "ward.example", True),
        (True, (), "whatever.example", True),
        (True, ("ward.example",), "ward.example:443", True),
        (True, ("ward.example",), "WARD.example", True),
        (True, ("ward.example",), "evil.example", False),
        (True, ("ward.example",), "ward.example.evil.example", False),
        (True, ("ward.example",), "127.0.0.1", True),
        (True, ("ward.example",), "[", False),
    ],
)
def test_names_that_are_answered(
    keys: bool, hosts: tuple[str, ...], host: str, answered: bool
) -> None:
    answer = asked("GET", "/assets/none", keys, hosts, host=host)

    assert answer.status_code == (404 if answered else 403)


@pytest.mark.parametrize(
    ("origin", "host", "taken"),
    [
        ("https://ward.example", "ward.example", True),  # TLS ended in front
        ("http://ward.example", "ward.example", True),
        (VIEWER, "ward.example", True),
        ("https://evil.example", "ward.example", False),
        ("http://viewer.example", "ward.example", False),
        ("https://ward.example:8443", "ward.example", False),
        ("null", "ward.example", False),
        ("", "ward.example", False),
    ],
)
def test_pages_that_may_write(origin: str, host: str, taken: bool) -> None:
    answer = asked("POST", "/v1/session", host=host, origin=origin)

    assert (answer.status_code == 422) == taken  # it wants a key in the body
    assert answer.status_code in (403, 422)


def test_a_listed_page_may_ask_with_a_key_and_never_with_the_cookie() -> None:
    preflight = {"origin": VIEWER, "access_control_request_method": "GET"}
    preflight["access_control_request_headers"] = "authorization"

    allowed = asked("OPTIONS", "/v1/jobs", **preflight)
    other = asked("OPTIONS", "/v1/jobs", **{**preflight, "origin": "https://evil.example"})
    read = asked("GET", "/assets/none", origin=VIEWER)

    assert allowed.headers["access-control-allow-origin"] == VIEWER
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in allowed.headers
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers
    assert read.headers["access-control-allow-origin"] == VIEWER


def test_without_a_list_no_other_page_may_ask() -> None:
    answer = asked("GET", "/assets/none", origins=(), origin=VIEWER)

    assert "access-control-allow-origin" not in answer.headers


def test_answers_are_not_cached_and_name_their_request() -> None:
    first, second = (asked("POST", "/v1/session") for _ in range(2))

    assert first.headers["cache-control"] == "no-store"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert "camera=()" in first.headers["permissions-policy"]
