"""What surrounds the calls: the document, the page, headers, other sites, logs."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from service import Service

from delineate import errors
from delineate.api.contract import own
from delineate.api.faults import STATUS, status_of

CONTRACT = Path(__file__).resolve().parents[2] / "docs" / "rest.md"


def documented_calls() -> set[tuple[str, str]]:
    """The calls of the table in docs/rest.md."""
    rows = re.findall(r"^\| `(\w+) (/[^`?]*)", CONTRACT.read_text(), re.MULTILINE)
    return {(method.lower(), re.sub(r"\{\w+\}", "{}", path)) for method, path in rows}


def test_the_service_has_the_calls_of_the_document_and_no_others(running: Service) -> None:
    paths = own(running.client.get("/openapi.json").json())["paths"]

    found = {
        (method, re.sub(r"\{\w+\}", "{}", path))
        for path, calls in paths.items()
        for method in calls
    }

    assert found == documented_calls()


def test_every_call_documents_its_errors_as_problems(running: Service) -> None:
    document = own(running.client.get("/openapi.json").json())
    for path, calls in document["paths"].items():
        for call in calls.values():
            problems = {code for code in call["responses"] if code >= "400"}
            assert {"403", "500", "503"} <= problems, path
            for code in problems:
                assert list(call["responses"][code]["content"]) == ["application/problem+json"]


def test_every_error_has_a_code_and_the_codes_are_documented() -> None:
    named = [getattr(errors, name) for name in errors.__all__]
    text = CONTRACT.read_text()

    assert {status_of(kind.__new__(kind)) for kind in named} <= set(STATUS.values())
    for status in set(STATUS.values()) | {403}:
        assert f"| {status} |" in text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UnknownDetectorError("no"), 404),
        (errors.UnknownJobError("no"), 404),
        (errors.ConflictError("no"), 409),
        (errors.TooLargeError("no"), 413),
        (errors.GeometryError("no"), 422),
        (errors.ExportError("no"), 422),
        (errors.StorageFullError("no"), 507),
        (errors.MissingExtraError("no"), 503),
        (errors.DetectorCrashError("no"), 500),
        (ZeroDivisionError(), 500),
    ],
)
def test_the_nearest_ancestor_decides_the_code(error: Exception, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/v1/jobs", 405)]
)
def test_errors_of_the_framework_are_problems_too(
    running: Service, method: str, path: str, status: int
) -> None:
    answer = running.client.request(method, path)

    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_detectors_are_listed_with_the_schema_of_their_options(running: Service) -> None:
    listed = {one["id"]: one for one in running.client.get("/v1/detectors").json()}

    assert "test.bright" in listed
    assert listed["test.bright"]["options_schema"]["properties"]["threshold"]["maximum"] == 4000


def test_health_counts_live_workers(running: Service) -> None:
    health = running.client.get("/healthz").json()

    assert set(health) == {"status", "version", "workers"}
    assert (health["status"], health["workers"]) == ("ok", 1)


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/nothing", "/v1/jobs/x"])
def test_every_answer_is_guarded(running: Service, path: str) -> None:
    headers = running.client.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


def test_the_list_of_calls_loads_nothing_from_elsewhere(running: Service) -> None:
    page = running.client.get("/docs").text

    assert "POST /v1/images" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.1", ""])
def test_a_name_that_was_rebound_is_not_served(running: Service, host: str) -> None:
    answer = running.client.get("/healthz", headers={"Host": host})

    assert answer.status_code == (403 if host else 400) or answer.json()["status"] == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_another_site_cannot_write(running: Service, origin: str) -> None:
    headers = {"Origin": origin}

    uploaded = running.client.post("/v1/images", content=b"x", headers=headers)
    read = running.client.get("/healthz", headers=headers)
    own = running.client.post("/v1/jobs", json={}, headers={"Origin": running.url})

    assert (uploaded.status_code, uploaded.json()["title"]) == (403, "Forbidden")
    assert read.status_code == 200
    assert "access-control-allow-origin" not in read.headers
    assert own.status_code == 422


def test_localhost_is_served_by_name(running: Service) -> None:
    port = running.url.rsplit(":", 1)[1]

    answer = running.client.get("/healthz", headers={"Host": f"localhost:{port}"})

    assert answer.status_code == 200


def test_the_api_imports_neither_torch_nor_detectors() -> None:
    import subprocess
    import sys

    code = (
        "import sys, delineate.api.app, delineate.jobs.web\n"
        "heavy = {'torch', 'monai', 'pydicom', 'nibabel', 'SimpleITK', 'numba', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"


def test_an_answer_that_is_a_file_keeps_its_type(running: Service) -> None:
    answer: httpx.Response = running.client.get("/openapi.json")

    assert answer.headers["content-type"] == "application/json"
