"""Endpoints are found whatever spelling of its path a request chose."""

import pytest

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
