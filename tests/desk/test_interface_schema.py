"""The interface against its own description: made-up calls of every kind, and none breaks it (schemathesis)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from interface_house import Calls, served
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from desk.api.app import create_api
from desk.api.callers import Scope

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
)

CALLS = 12
"""Made-up calls of each route."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """A counter whose key may do everything."""
    with served(tmp_path_factory.mktemp("schema")) as made:
        made.show_key(*Scope)
        yield made


@pytest.fixture(scope="module")
def api(calls: Calls) -> schemathesis.BaseSchema:
    """Its description, as it tells it itself."""
    return schemathesis.openapi.from_asgi("/openapi.json", create_api(calls.counter))


def test_no_call_breaks_the_interface(api: schemathesis.BaseSchema, calls: Calls) -> None:
    tried = []
    for found in api.get_all_operations():
        operation = found.ok()

        @settings(max_examples=CALLS, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=list(CHECKS), headers=calls.headers)

        check()
        tried.append(operation.label)
    assert len(tried) >= 14


def test_the_description_names_every_route_and_its_problems(calls: Calls) -> None:
    told = calls.client.get("/v1/openapi.json").json()
    assert {"/tickets", "/tickets/{ticket_id}", "/interrupts", "/webhooks"} <= set(told["paths"])
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            assert {"401", "403"} <= set(one["responses"]), (method, path)
            assert one["summary"] or one["description"]


def test_nothing_of_the_desk_is_described_to_strangers(calls: Calls, tmp_path: Path) -> None:
    assert calls.client.get("/openapi.json").status_code == 404
    assert calls.client.get("/docs").status_code == 404
