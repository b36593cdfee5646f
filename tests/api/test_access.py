"""Every call asks who is there, takes the scope that it needs, and shows nobody another's things.

The calls are found, not listed: one that is added and forgets to ask fails here.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from service import Service, series, service, zipped

from delineate.api import access
from delineate.api.app import create
from delineate.errors import DelineateError
from delineate.jobs import engine
from delineate.jobs.audit import AuditTrail
from delineate.jobs.keys import RIGHTS, KeyRing
from delineate.jobs.settings import Settings


@dataclass(frozen=True)
class Guarded:
    """A service with keys, an image and a job of the tenant ``ward``."""

    service: Service
    keys: dict[str, str]
    ids: dict[str, str]

    def ask(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[key]}"} if key else {}
        headers |= more.pop("headers", {})
        return self.service.client.request(method, path, headers=headers, **more)


@pytest.fixture(scope="module")
def guarded(odd_detectors: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    data = tmp_path_factory.mktemp("guarded") / "data"
    database = engine.prepare(Settings(data=data))
    ring = KeyRing(database)
    keys = {"ward": ring.add("ward", "ward", RIGHTS)[1], "other": ring.add("o", "other", RIGHTS)[1]}
    for right in RIGHTS:
        others = [one for one in RIGHTS if one != right]
        keys[f"all but {right}"] = ring.add(f"all-but-{right}", "ward", others)[1]
    database.dispose()
    with service(data, dicom_delete=True) as running:
        guarded = Guarded(running, keys, {})
        body = zipped(series(tmp_path_factory.mktemp("ct")))
        image = guarded.ask("POST", "/v1/images?name=a.zip", "ward", content=body).json()
        asked = {"image_id": image["id"], "detector": "test.bright"}
        job = guarded.ask("POST", "/v1/jobs", "ward", json=asked).json()["id"]
        events = guarded.ask("GET", f"/v1/jobs/{job}/events", "ward").text
        assert '"done"' in events
        upload = guarded.ask("POST", "/v1/uploads", "ward").json()["id"]
        report = image["report"]["series"][0]
        guarded.ids.update(
            image_id=image["id"], job_id=job, upload_id=upload, series=report["id"], format="seg"
        )
        yield guarded


def calls() -> list[tuple[str, str, tuple[str, ...]]]:
    """Method, template and scopes of each call that is not public, hidden ones too."""
    app = create(Settings(data=Path("unused")))
    by_check = {access.needs(right): right for right in RIGHTS}  # type: ignore[arg-type]
    found = []
    for context in iter_route_contexts(app.routes):
        if not isinstance(context.original_route, APIRoute):
            continue
        needed = {by_check[one] for one in access._calls(context.dependant) if one in by_check}
        found += [
            (method, str(context.path), tuple(sorted(needed)))
            for method in context.methods or ()
            if not access.is_public(method, str(context.path))
        ]
    return sorted(found)


CALLS = calls()
NAMES = [f"{method} {path}" for method, path, _ in CALLS]


def filled(template: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: ids.get(part[1], "1"), template)


def test_there_are_calls() -> None:
    assert {"GET /v1/jobs/{job_id}", "POST /v1/images", "GET /metrics"} <= set(NAMES)


@pytest.mark.parametrize(("method", "path", "scopes"), CALLS, ids=NAMES)
def test_without_a_key_there_is_no_answer(
    guarded: Guarded, method: str, path: str, scopes: tuple[str, ...]
) -> None:
    answer = guarded.ask(method, filled(path, guarded.ids))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert method == "HEAD" or answer.json()["status"] == 401


def test_a_wrong_key_is_no_key_and_too_many_are_slowed_down(guarded: Guarded) -> None:
    wrong = {"Authorization": "Bearer dlk_0123456789abcdef_wrong"}

    answers = [guarded.ask("GET", "/v1/jobs", headers=wrong) for _ in range(30)]

    assert {answer.status_code for answer in answers} == {401, 429}
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 61
    assert guarded.ask("GET", "/v1/jobs", "ward").status_code == 200


@pytest.mark.parametrize(("method", "path", "scopes"), CALLS, ids=NAMES)
def test_a_key_without_the_scope_is_refused(
    guarded: Guarded, method: str, path: str, scopes: tuple[str, ...]
) -> None:
    assert scopes or path in ("/v1/session",) or path.endswith("/auth/token/valid")
    for scope in scopes:
        answer = guarded.ask(method, filled(path, guarded.ids), f"all but {scope}")

        assert answer.status_code == 403
        assert method == "HEAD" or scope in answer.json()["detail"]


# STOW to a study makes something of one's own there.
OWNED = [
    one
    for one in CALLS
    if re.search(r"\{(image_id|job_id|upload_id|study|series)", one[1])
    and not (one[0] == "POST" and one[1].endswith("/studies/{study}"))
]


@pytest.mark.parametrize(
    ("method", "path", "scopes"), OWNED, ids=[f"{method} {path}" for method, path, _ in OWNED]
)
def test_another_tenants_things_are_not_there(
    guarded: Guarded, method: str, path: str, scopes: tuple[str, ...]
) -> None:
    answer = guarded.ask(method, filled(path, guarded.ids), "other")

    nothing = answer.status_code == 204 or (answer.status_code, answer.content) == (200, b"[]")
    assert nothing or answer.status_code == 404
    asked = filled(path, guarded.ids)
    for told in guarded.ids.values():
        assert told in asked or told not in answer.text


def test_nothing_was_lost_to_the_strangers(guarded: Guarded) -> None:
    assert guarded.ask("GET", f"/v1/images/{guarded.ids['image_id']}", "ward").status_code == 200
    assert guarded.ask("GET", f"/v1/jobs/{guarded.ids['job_id']}/result", "ward").status_code == 200


def test_another_tenants_image_cannot_be_named_in_a_job(guarded: Guarded) -> None:
    asked = {"image_id": guarded.ids["image_id"], "detector": "test.bright"}

    assert guarded.ask("POST", "/v1/jobs", "other", json=asked).status_code == 404
    assert guarded.ask("GET", "/v1/jobs", "other").json()["jobs"] == []
    assert guarded.ask("GET", "/v1/images", "other").json()["images"] == []


def test_another_tenants_result_cannot_be_scored_nor_a_file_by_everybody(
    guarded: Guarded,
) -> None:
    job = guarded.ids["job_id"]
    theirs = {"pairs": [{"case": "a", "prediction": job, "reference": job}]}
    file = {"pairs": [{"case": "a", "reference_file": "/srv/shared/a.nii.gz"}]}

    assert guarded.ask("POST", "/v1/evaluations", "other", json=theirs).status_code == 404
    assert guarded.ask("POST", "/v1/evaluations", "all but admin", json=file).status_code == 403
    assert guarded.ask("GET", "/v1/evaluations", "other").json()["evaluations"] == []


def test_a_stranger_is_refused_before_a_byte_of_the_body(guarded: Guarded) -> None:
    url = httpx.URL(guarded.service.url)
    head = "POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection((url.host, url.port), timeout=30) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(12)

    assert answer == b"HTTP/1.1 401"


def test_a_call_that_forgets_to_ask_keeps_the_service_from_starting() -> None:
    app = FastAPI()

    @app.get("/v1/open")
    def open_to_all() -> None: ...

    with pytest.raises(DelineateError, match="GET /v1/open declares no scope"):
        access.demand_guarded(app)


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/healthz", "/readyz"])
def test_the_page_and_health_are_public(guarded: Guarded, path: str) -> None:
    assert guarded.ask("GET", path).status_code == 200


@pytest.mark.parametrize("path", ["//v1/jobs", "/v1/jobs/", "/V1/jobs", "/assets/../v1/jobs"])
def test_no_spelling_of_an_address_gets_past_the_door(guarded: Guarded, path: str) -> None:
    address = httpx.URL(guarded.service.url).copy_with(raw_path=path.encode())

    assert guarded.service.client.get(address).status_code in (401, 404)


def test_a_session_lets_the_page_in_and_ends(guarded: Guarded) -> None:
    with httpx.Client(base_url=guarded.service.url) as browser:
        wrong = browser.post("/v1/session", json={"key": "dlk_1_2"})
        opened = browser.post("/v1/session", json={"key": guarded.keys["ward"]})
        cookie = opened.headers["set-cookie"]
        who = browser.get("/v1/session").json()
        events = browser.get(f"/v1/jobs/{guarded.ids['job_id']}/events")
        token = browser.cookies["delineate_session"]
        foreign = browser.get("/v1/session", headers={"Sec-Fetch-Site": "cross-site"})
        ended = browser.delete("/v1/session")
        again = browser.get("/v1/session", headers={"Cookie": f"delineate_session={token}"})

    assert wrong.status_code in (401, 429)
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert (who["name"], who["tenant"]) == ("ward", "ward")
    assert '"done"' in events.text
    assert foreign.status_code in (401, 429)
    assert ended.status_code == 204
    assert again.status_code in (401, 429)


def test_another_site_cannot_write_with_a_session(guarded: Guarded) -> None:
    with httpx.Client(base_url=guarded.service.url) as browser:
        browser.post("/v1/session", json={"key": guarded.keys["ward"]})
        answer = browser.delete(
            f"/v1/images/{guarded.ids['image_id']}", headers={"Origin": "http://evil.example"}
        )

    assert answer.status_code == 403


def test_metrics_count_by_template_and_hold_no_id(guarded: Guarded) -> None:
    guarded.ask("GET", f"/v1/jobs/{guarded.ids['job_id']}/result", None)
    told = guarded.ask("GET", "/metrics", "ward").text

    assert 'delineate_requests_total{method="POST",route="/v1/images",status="201"} 1.0' in told
    refused = 'route="/v1/jobs/{job_id}/result",status="401"}'
    assert f'delineate_requests_total{{method="GET",{refused}' in told
    assert "delineate_request_seconds_bucket" in told
    assert guarded.ids["image_id"] not in told
    assert guarded.ids["job_id"] not in told
    assert "ward" not in told


def test_the_audit_has_who_did_what_and_holds(guarded: Guarded) -> None:
    guarded.ask("GET", f"/v1/jobs/{guarded.ids['job_id']}/exports/seg", "all but admin")
    guarded.ask("GET", "/v1/jobs/JOHN-DOE", "ward")
    guarded.ask("DELETE", "/v1/jobs/JOHN-DOE", "ward")  # written by then, and all before it
    database = engine.prepare(guarded.service.settings)
    trail = AuditTrail(database)
    entries = list(trail.entries())
    trail.verify(trail.head())
    database.dispose()

    image, job = guarded.ids["image_id"], guarded.ids["job_id"]
    told = {(one.who, one.tenant, one.action, one.object, one.outcome) for one in entries}
    assert ("ward", "ward", "POST /v1/images", image, 201) in told
    assert ("ward", "ward", "POST /v1/jobs", job, 202) in told
    read = "GET /v1/jobs/{job_id}/exports/{format}"
    assert ("all-but-admin", "ward", read, job, 200) in told
    assert "JOHN" not in json.dumps(sorted(map(str, told)))
    assert guarded.keys["ward"] not in json.dumps(sorted(map(str, told)))
