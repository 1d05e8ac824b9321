"""The OpenAPI document says what the API does: fuzzed by schemathesis, both ways."""

from itertools import islice

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.applications import Starlette

from database.schema import alerts, findings, incidents, keys, outbox
from keywatch.api.app import mounted
from keywatch.api.openapi import document
from keywatch.api.operation import NoQuery
from keywatch.api.operations import OPERATIONS
from keywatch.people.roles import SCOPES
from tests.console.house import House

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    load_all_checks()
    house = House(f"sqlite:///{tmp_path_factory.mktemp('api') / 'keywatch.db'}")
    house.furnish()
    site = Starlette(routes=[mounted(house.desk)])
    yield house, schemathesis.openapi.from_asgi("/api/v1/openapi.json", site)
    house.engine.dispose()


NEGATIVE = [*CHECKS, negative_data_rejection]
COVERED = 25
"""Cases of the edges of each operation that are sent, of those that are to be refused."""
WRONG = [GenerationMode.NEGATIVE]


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_what_the_document_does_not_allow_is_refused(fuzzed, everything, one):
    """At its edges: each limit of each parameter overstepped, wrong types, wrong methods."""
    _, schema = fuzzed
    operation, refused = schema[one.path][one.method], 0
    cases = schema.iter_coverage_cases(
        operation,
        generation_modes=WRONG,
        generation_config=schema.config.generation_for(operation=operation),
    )
    for case in islice(cases, COVERED):
        answer = case.call_and_validate(headers=everything, checks=NEGATIVE, timeout=300)
        refused += 400 <= answer.status_code < 500
    assert refused, "nothing wrong was sent"


@pytest.mark.parametrize(
    "one", [one for one in OPERATIONS if one.body or one.query is not NoQuery], ids=lambda o: o.name
)
def test_whatever_else_is_not_allowed_is_refused(fuzzed, everything, one):
    _, schema = fuzzed

    @settings(
        max_examples=5,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[one.path][one.method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def fuzz(case):
        case.call_and_validate(headers=everything, checks=NEGATIVE, timeout=300)

    fuzz()


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_no_operation_forgets_to_ask_who_it_is(fuzzed, everything, one):
    """Schemathesis sends the same request without a token, and with a wrong one."""
    _, schema = fuzzed
    case = schema[one.path][one.method].Case(path_parameters={"id": "none"})
    case.call_and_validate(
        headers=everything, checks=[ignored_auth, not_a_server_error], timeout=300
    )
    assert case.call(headers={"authorization": "Bearer kwat_wrong"}).status_code == 401


@pytest.fixture(scope="module")
def everything(fuzzed):
    """A token with every scope."""
    # spelt so: the check takes it out under this name
    return {"Authorization": f"Bearer {fuzzed[0].token(*SCOPES, name='all')}"}


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_every_answer_is_one_that_the_document_names(fuzzed, one):
    house, schema = fuzzed
    headers = {"authorization": f"Bearer {house.token(*SCOPES)}"}

    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=schema[one.path][one.method].as_strategy(),
        known=st.sampled_from(["", *_known(house, one)]),
    )
    def fuzz(case, known):
        if known and case.path_parameters:
            case.path_parameters["id"] = known
        # a busy machine may stall for longer than the ten seconds that are usual
        case.call_and_validate(headers=headers, checks=CHECKS, timeout=300)

    fuzz()


def _known(house, one):
    """Ids that exist, so that not everything ends in a 404."""
    tables = {
        "keys": keys,
        "alerts": alerts,
        "incidents": incidents,
        "actions": outbox,
        "findings": findings,
    }
    table = tables.get(one.path.split("/")[1])
    if table is None:
        return []
    with house.desk.reading() as connection:
        return [str(row[0]) for row in connection.execute(table.select())]


def test_every_operation_is_documented_with_its_scope():
    told = document(OPERATIONS)
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)
    for one in OPERATIONS:
        shown = told["paths"][one.path][one.method.lower()]
        assert shown["operationId"] == one.name
        assert one.scope in shown["description"]
        assert not one.scope or one.scope in SCOPES
    assert {one.scope for one in OPERATIONS} - {""} == SCOPES - {"keys:force"}
