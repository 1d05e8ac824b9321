import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.parsed import MAX_LINE
from streams.repository import address, repo_events


@pytest.mark.parametrize(
    ("told", "clone"),
    [
        ("https://git.example/a/b.git", "https://git.example/a/b.git"),
        ("https://jo:" + "pass" + "@git.example/a.git", "https://git.example/a.git"),
        ("ssh://git:" + "pass" + "@git.example:22/a.git", "ssh://git@git.example:22/a.git"),
        ("git@git.example:a/b.git", "git@git.example:a/b.git"),
        ("/srv/git/a b.git", "/srv/git/a b.git"),
        ("file:///srv/git/a.git", "file:///srv/git/a.git"),
    ],
)
def test_leaves_the_credentials_out_of_an_address(told, clone):
    assert address(told) == clone


@pytest.mark.parametrize(
    "told",
    [
        "",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x:y",
        "ext::sh -c date",
        "ssh://-oProxyCommand=x/y",
        "https://git.example/a\n.git",
        "relative/path",
        "https://git.example/" + "a" * 3000,
        "fd::17",
    ],
)
def test_refuses_addresses_that_git_must_not_be_given(told):
    assert address(told) is None


PUSH = {
    "delivery": "1",
    "repository": "/srv/a.git",
    "ref": "refs/heads/main",
    "after": "a" * 40,
}


def test_reads_a_push_and_fills_in_what_it_does_not_say():
    [event], rejected = repo_events([json.dumps(PUSH).encode(), b" "], 7.0)
    assert not rejected
    assert (event.before, event.private, event.forge, event.received_at) == (
        "0" * 40,
        False,
        "kafka",
        7.0,
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ref": "main"}, "ref: no full name of a branch or tag"),
        ({"ref": "refs/heads/a b"}, "ref: no full name of a branch or tag"),
        ({"after": "HEAD"}, "after: no object id"),
        ({"before": "A" * 40}, "before: no object id"),
        ({"delivery": ""}, "delivery: not 1 to 200 printable characters"),
        ({"repository": "ext::x"}, "repository: no address that git may be given"),
        ({"private": "yes"}, "private: expected `bool`, got `str`"),
        ({"ref": None}, "ref: expected `str`, got `null`"),
    ],
)
def test_says_which_field_is_wrong_and_why(change, reason):
    events, rejected = repo_events([json.dumps(PUSH | change).encode()], 7.0)
    assert (events, rejected) == ([], [(0, reason)])


def test_refuses_a_line_that_is_too_long_unread():
    line = json.dumps(PUSH | {"more": "x" * MAX_LINE}).encode()
    assert repo_events([line], 7.0) == ([], [(0, f"line: longer than {MAX_LINE} bytes")])


def test_names_a_missing_field():
    fields = {name: value for name, value in PUSH.items() if name != "after"}
    _, [(_, reason)] = repo_events([json.dumps(fields).encode()], 7.0)
    assert reason == "line: object missing required field `after`"


@given(st.lists(st.binary(max_size=99)))
def test_never_raises_for_any_bytes(lines):
    events, rejected = repo_events(lines, 7.0)
    assert not events
    assert len(rejected) == sum(bool(line.strip()) for line in lines)
