"""The OpenAPI document: written down, kept compatible, and true."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from campaigns.calls import campaign
from service import Service

from delineate.api.contract import breaks, own, text

WRITTEN = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return dict(json.loads(WRITTEN.read_text()))


def test_the_document_that_is_written_down_is_the_one_that_is_served(running: Service) -> None:
    served = own(running.client.get("/openapi.json").json())

    assert text(served) == WRITTEN.read_text(), (
        "write it anew: python -m delineate.api.contract docs/openapi.json"
    )


def test_a_document_does_not_break_itself(written: dict[str, Any]) -> None:
    same = json.loads(json.dumps(written, sort_keys=True))

    assert breaks(written, same) == []
    assert breaks(same, written) == []


def without_a_call(new: dict[str, Any]) -> None:
    del new["paths"]["/v1/jobs/{job_id}"]["get"]


def without_an_answer(new: dict[str, Any]) -> None:
    del new["paths"]["/v1/jobs"]["post"]["responses"]["202"]


def without_a_field(new: dict[str, Any]) -> None:
    del new["components"]["schemas"]["JobDocument"]["properties"]["progress"]


def with_a_field_that_may_be_missing(new: dict[str, Any]) -> None:
    new["components"]["schemas"]["JobDocument"]["required"].remove("state")


def with_a_state_more(new: dict[str, Any]) -> None:
    new["components"]["schemas"]["JobDocument"]["properties"]["state"]["enum"].append("lost")


def with_a_field_to_send(new: dict[str, Any]) -> None:
    new["components"]["schemas"]["JobRequest"]["required"].append("queue")


def with_a_lower_limit(new: dict[str, Any]) -> None:
    new["components"]["schemas"]["JobRequest"]["properties"]["priority"]["maximum"] = 5


def with_a_lower_limit_or_null(new: dict[str, Any]) -> None:
    asked = new["components"]["schemas"]["JobRequest"]["properties"]
    asked["priority"] = {"anyOf": [{**asked["priority"], "maximum": 5}, {"type": "null"}]}


def with_an_answer_that_may_be_null(new: dict[str, Any]) -> None:
    told = new["components"]["schemas"]["JobDocument"]["properties"]
    told["state"] = {"anyOf": [told["state"], {"type": "null"}]}


def with_a_parameter_to_send(new: dict[str, Any]) -> None:
    new["paths"]["/v1/jobs"]["get"]["parameters"][0]["required"] = True


@pytest.mark.parametrize(
    "change",
    [
        without_a_call,
        without_an_answer,
        without_a_field,
        with_a_field_that_may_be_missing,
        with_a_state_more,
        with_a_field_to_send,
        with_a_lower_limit,
        with_a_lower_limit_or_null,
        with_an_answer_that_may_be_null,
        with_a_parameter_to_send,
    ],
)
def test_what_breaks_a_client_is_found(
    written: dict[str, Any], change: Callable[[dict[str, Any]], None]
) -> None:
    new = copy.deepcopy(written)
    change(new)

    assert len(breaks(written, new)) >= 1


def test_what_is_new_breaks_nobody(written: dict[str, Any]) -> None:
    new = copy.deepcopy(written)
    schemas = new["components"]["schemas"]
    schemas["JobDocument"]["properties"]["mood"] = {"type": "string"}
    schemas["JobRequest"]["properties"]["mood"] = {"type": "string"}
    taken = schemas["JobRequest"]["properties"]["priority"]
    schemas["JobRequest"]["properties"]["priority"] = {"anyOf": [taken, {"type": "null"}]}
    new["paths"]["/v1/moods"] = {"get": new["paths"]["/v1/jobs"]["get"]}
    new["paths"]["/v1/jobs"]["get"]["parameters"].append(
        {"name": "mood", "in": "query", "required": False, "schema": {"type": "string"}}
    )

    assert breaks(written, new) == []


def test_no_request_gives_a_fault_or_an_answer_that_is_not_documented(
    running: Service, tmp_path: Path
) -> None:
    pytest.importorskip("schemathesis")
    outcome = campaign(running, tmp_path, cases=70)

    assert outcome.faults == []
    assert outcome.undocumented == []
    assert outcome.cases > 30
    assert len(outcome.statuses) >= 4
