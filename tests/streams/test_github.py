import hmac
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.forges import FORGES, repo_events
from vocabulary.errors import FormatError, SignatureError

SECRET = "not a secret"


def repo_event(headers, body, secrets, now):
    found = repo_events(FORGES["github"], headers, body, secrets, now)
    return found[0] if found else None


PUSH = {
    "ref": "refs/heads/main",
    "before": "a" * 40,
    "after": "b" * 40,
    "repository": {"clone_url": "https://git.example/a.git", "private": True},
}
BODY = json.dumps(PUSH).encode()


def signed(body, secret=SECRET, event="push"):
    return {
        "x-github-event": event,
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "x-hub-signature-256": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex(),
    }


def test_reads_a_push():
    event = repo_event(signed(BODY), BODY, [SECRET], 7.0)
    assert (event.forge, event.repository, event.private) == (
        "github",
        "https://git.example/a.git",
        True,
    )
    assert (event.ref, event.before, event.after) == ("refs/heads/main", "a" * 40, "b" * 40)
    assert event.received_at == 7.0


def test_reads_a_push_that_came_as_a_form():
    body = urlencode({"payload": BODY.decode()}).encode()
    assert repo_event(signed(body), body, [SECRET], 7.0).after == "b" * 40


def test_a_replay_under_another_delivery_id_is_the_same_delivery():
    again = signed(BODY) | {"x-github-delivery": "another"}
    assert (
        repo_event(signed(BODY), BODY, [SECRET], 7.0).delivery
        == repo_event(again, BODY, [SECRET], 9.0).delivery
    )


def test_other_events_are_none():
    assert repo_event(signed(b"{}", event="ping"), b"{}", [SECRET], 7.0) is None


def test_the_new_and_the_old_secret_both_fit_while_it_is_changed():
    assert repo_event(signed(BODY), BODY, ["new", SECRET], 7.0)


@pytest.mark.parametrize(
    ("headers", "secrets"),
    [
        ({}, [SECRET]),
        (signed(BODY, "another"), [SECRET]),
        (signed(BODY + b" "), [SECRET]),
        (signed(BODY, ""), [""]),
        (signed(BODY), []),
        (signed(BODY) | {"x-hub-signature-256": "sha1=" + "0" * 40}, [SECRET]),
        (signed(BODY) | {"x-hub-signature-256": "sha256=é"}, [SECRET]),
        (signed(BODY) | {"x-hub-signature-256": "sha256="}, [SECRET]),
    ],
)
def test_refuses_what_was_not_signed_with_a_secret(headers, secrets):
    with pytest.raises(SignatureError) as caught:
        repo_event(headers, BODY, secrets, 7.0)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"payload=%7B",
        b"payload=" + b"[" * 5000,
        json.dumps(PUSH | {"ref": "main"}).encode(),
        json.dumps(PUSH | {"repository": {"clone_url": "ext::sh", "private": True}}).encode(),
        json.dumps({"repository": {"clone_url": "/a", "private": "no"}}).encode(),
    ],
)
def test_refuses_a_signed_body_that_is_no_push(body):
    with pytest.raises(FormatError):
        repo_event(signed(body), body, [SECRET], 7.0)


@given(st.binary(max_size=200))
def test_never_fails_otherwise_for_any_signed_bytes(body):
    with pytest.raises(FormatError):
        repo_event(signed(body), body, [SECRET], 7.0)
