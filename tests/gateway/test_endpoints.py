"""Endpoints are found whatever spelling of its path a request chose."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoints import Endpoint, applying, matcher, plain_path
from vocabulary.errors import UsageError


@pytest.mark.parametrize(
    ("sent", "plain"),
    [
        (b"/v1/things", "/v1/things"),
        (b"/v1//things", "/v1/things"),
        (b"/v1/./things/", "/v1/things/"),
        (b"/v1/../admin", "/admin"),
        (b"/v1/%2e%2e/admin", "/admin"),
        (b"/v1/..;a=b/admin;x", "/admin"),
        (b"/v1\\..\\admin", "/admin"),
        (b"/%61dmin", "/admin"),
        (b"/%2561dmin", "/%61dmin"),
        (b"/../../x", "/x"),
        (b"/", "/"),
        (b"", "/"),
        (b"/\xff\xfe", "/\ufffd\ufffd"),
    ],
)
def test_a_path_is_read_as_the_server_behind_reads_it(sent, plain):
    assert plain_path(sent) == plain


@pytest.mark.parametrize(
    ("pattern", "method", "path", "meant"),
    [
        ("GET /v1/*", "GET", b"/v1/a/b", True),
        ("GET /v1/*", "POST", b"/v1/a", False),
        ("/v1/*", "POST", b"/v1/a", True),
        ("/v1/*", "GET", b"/v1/../admin", False),
        ("/v1/*", "GET", b"/v1", False),
        ("/v1/*/export", "GET", b"/v1/a\nb/export", True),
        ("/a.b", "GET", b"/axb", False),
        ("* /*", "GET", b"/x", True),
        ("POST /*", "GET", b"/x", False),
    ],
)
def test_patterns_name_methods_and_paths(pattern, method, path, meant):
    assert matcher((pattern,))(method, path) == meant


@pytest.mark.parametrize(
    "path",
    [
        b"/admin/../v1/a",
        b"/admin/%2e%2e/v1/a",
        b"/admin/x/..%2f..%2fv1/a",
        b"/admin/x;/../../v1/a",
        b"/admin%2F..%2Fv1%2Fa",
        b"/v1/..%2fadmin",
        b"/v1/..;/admin",
        b"//admin/..//v1/a",
        b"/v1/.%09./admin",
        b"/%0Av%7f1/a",
    ],
)
def test_a_key_is_allowed_only_what_no_server_reads_as_something_else(path):
    assert not matcher(("/v1/*",))("GET", path)


@pytest.mark.parametrize(
    "path", [b"/v1/a%20b", b"/v1//a", b"/v1/./a", b"/v1/a;b=1", b"/v1/.a", b"/v1/a%0Ab"]
)
def test_a_detour_that_leads_nowhere_else_is_allowed(path):
    assert matcher(("/v1/*",))("GET", path)


@pytest.mark.parametrize("pattern", ["", "v1", "GET", "/v1 /v2", "FETCH /v1"])
def test_says_how_an_endpoint_is_written(pattern):
    with pytest.raises(UsageError, match="no endpoint"):
        matcher((pattern,))


def test_every_endpoint_that_is_meant_applies():
    first, second = Endpoint("/v1/*"), Endpoint("POST /*")
    found = applying([first, second])
    assert found("POST", b"/v1/x") == (first, second)
    assert found("GET", b"/v1/x") == (first,)
    assert found("GET", b"/") == ()


@pytest.mark.parametrize(
    ("pattern", "method", "path"),
    [
        ("POST /admin/*", "POST", b"/ADMIN/x"),
        ("POST /admin/*", "POST", b"/admin"),
        ("POST /admin/*", "POST", b"//admin//x"),
        ("POST /admin/*", "POST", b"/%41dmin/x"),
        ("POST /admin/*", "POST", b"/admin%2fx"),
        ("POST /admin/*", "POST", b"/admin/..%2fpublic"),
        ("POST /admin/*", "POST", b"/x/../admin/..%2fpublic"),
        ("POST /admin/*", "POST", b"/admin/../public"),
        ("POST /admin/*", "POST", b"/public/../admin/x"),
        ("POST /admin/*", "POST", b"/public%2f..%2fadmin/x"),
        ("POST /admin/*", "POST", b"/x/..;y/admin/x"),
        ("POST /admin/*", "post", b"/admin/x"),
        ("POST /admin/*", "POST", b"/admin%09/x"),
        ("POST /admin/*", "POST", b"/%0aad%1Fmin/x"),
        ("POST /admin/*", "POST", b"/public/.%7F./admin/x"),
        ("GET /secret", "GET", b"/secret/"),
        ("GET /secret", "GET", b"/Secret//"),
        ("GET /secret/", "GET", b"/secret"),
        ("GET /secret", "HEAD", b"/secret"),
        ("/*", "GET", b"/"),
    ],
)
def test_what_an_endpoint_asks_for_is_asked_for_in_every_spelling(pattern, method, path):
    rule = Endpoint(pattern)
    assert applying([rule])(method, path) == (rule,)
    assert rule not in applying([Endpoint("DELETE /other/*"), Endpoint("/administer")])(
        method, path
    )


def test_long_paths_that_somebody_invents_are_not_remembered():
    found = applying([Endpoint("/v1/*")])
    tracemalloc.start()
    try:
        for number in range(300):
            assert found("GET", b"/v1/%d/" % number + bytes(50_000))
        assert tracemalloc.get_traced_memory()[0] < 5_000_000
    finally:
        tracemalloc.stop()


def test_other_methods_that_an_application_may_take_are_meant_too():
    rule = Endpoint("DELETE /v1/*")
    found = applying([rule])
    assert found("POST", b"/v1/x") == ()
    assert found("POST", b"/v1/x", "PATCH", "Delete") == (rule,)
    assert found("GET", b"/v12") == ()


@given(st.binary(max_size=40), st.sampled_from(["/admin/*", "/*/x", "/a.b", "/"]))
def test_whatever_a_key_could_be_allowed_as_an_endpoint_asks_for(path, pattern):
    if matcher((pattern,))("GET", path):
        assert applying([Endpoint(pattern)])("GET", path)
        assert applying([Endpoint(pattern)])("HEAD", path.swapcase() if path.isalpha() else path)
