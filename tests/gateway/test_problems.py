"""Refusals in the shape that the client asks for."""

import json

import pytest

from gateway.answers import REFUSALS, throttled
from gateway.limits import Buckets, Limit
from gateway.problems import suited

PROBLEM = "application/problem+json"


def throttled_once():
    buckets, claims = Buckets(), [(Limit("gold", 1, 60, level="plan"), "plan_1")]
    buckets.take(claims, 0)
    return throttled(buckets.take(claims, 0), 1000.0)


EVERY = [*REFUSALS.values(), throttled_once()]


@pytest.mark.parametrize("refusal", EVERY, ids=lambda one: one.code)
def test_a_problem_says_the_same_as_the_usual_shape(refusal):
    usual = json.loads(refusal.body)["error"]
    told = suited(refusal, [(b"accept", PROBLEM.encode())])
    problem, headers = json.loads(told.body), dict(told.headers)
    assert headers[b"content-type"] == PROBLEM.encode()
    assert headers[b"content-length"] == b"%d" % len(told.body)
    assert problem["status"] == told.status == refusal.status
    assert (problem["code"], problem["detail"]) == (usual["code"], usual["message"])
    assert problem["title"]
    framing = {b"content-type", b"content-length"}
    assert [h for h in told.headers if h[0] not in framing] == [
        h for h in refusal.headers if h[0] not in framing
    ]


@pytest.mark.parametrize("refusal", EVERY, ids=lambda one: one.code)
def test_every_refusal_is_framed_and_not_kept_by_caches(refusal):
    headers = dict(refusal.headers)
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"content-length"] == b"%d" % len(refusal.body)
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-keywatch-code"] == refusal.code.encode()
    assert (b"www-authenticate" in headers) >= (refusal.status == 401)
    assert (b"retry-after" in headers) == (refusal.status in (429, 503))


def test_a_limit_that_is_used_up_is_a_quota_with_its_policy():
    problem = json.loads(suited(throttled_once(), [(b"accept", PROBLEM.encode())]).body)
    assert problem["type"].endswith("http-problem-types#quota-exceeded")
    assert problem["violated-policies"] == ["gold"]
    assert (problem["limit"], problem["window"], problem["reset_at"]) == (1, 60, 1060.0)


@pytest.mark.parametrize(
    ("accept", "is_problem"),
    [
        (b"application/problem+json", True),
        (b"text/html, Application/Problem+JSON; q=0.5", True),
        (b"application/problem+json;q=0.50", True),
        (b"application/problem+json;q=0", False),
        (b"application/problem+json; q=0.000, */*", False),
        (b"*/*", False),
        (b"application/json", False),
        (b"application/problem+jsonx", False),
        (b"", False),
        (b";;,,\xff", False),
    ],
)
def test_only_who_asks_gets_a_problem(accept, is_problem):
    refusal = REFUSALS["missing_api_key"]
    assert (suited(refusal, [(b"accept", accept)]) != refusal) is is_problem


def test_every_face_answers_as_asked(running):
    _, served = running
    for path in ("/", "/auth", "/verify"):
        answer = served.get(path=path, headers={"Accept": PROBLEM})
        assert answer.headers["content-type"] == PROBLEM
        assert json.loads(answer.body)["code"] == "missing_api_key"
        assert "error" in json.loads(served.get(path=path).body)
    twice = {"Accept": PROBLEM, "X-Forwarded-Uri": "/a", "x-forwarded-uri": "/b"}
    assert served.get(path="/verify", headers=twice).status == 400
