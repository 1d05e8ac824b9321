"""Push webhooks of every forge: what is believed, and what is read."""

import hmac
import json

import pytest

from streams.forges import FORGES, repo_events
from vocabulary.errors import FormatError, SignatureError

SECRET = "not a secret"
OLD, NEW, ZERO = "a" * 40, "b" * 40, "0" * 40
GITHUB = {
    "ref": "refs/heads/main",
    "before": OLD,
    "after": NEW,
    "repository": {"clone_url": "https://git.example/a.git", "private": True},
}
GITLAB = {
    **GITHUB,
    "project": {"git_http_url": "https://git.example/a.git", "visibility_level": 20},
}
CLOUD = {
    "push": {
        "changes": [
            {
                "old": {"type": "branch", "name": "main", "target": {"hash": OLD}},
                "new": {"type": "branch", "name": "main", "target": {"hash": NEW}},
            },
            {"old": None, "new": {"type": "tag", "name": "v1", "target": {"hash": NEW}}},
            {"old": {"type": "branch", "name": "gone", "target": {"hash": OLD}}, "new": None},
        ]
    },
    "repository": {"full_name": "team/a", "is_private": True},
}
SERVER = {
    "changes": [{"ref": {"id": "refs/heads/main"}, "fromHash": OLD, "toHash": NEW}],
    "repository": {
        "public": True,
        "links": {"clone": [{"name": "http", "href": "https://me@git.example/scm/a.git"}]},
    },
}
CASES = {
    "github": ("push", GITHUB, [("https://git.example/a.git", "refs/heads/main", OLD, NEW, True)]),
    "gitea": ("push", GITHUB, [("https://git.example/a.git", "refs/heads/main", OLD, NEW, True)]),
    "gitlab": (
        "Push Hook",
        GITLAB,
        [("https://git.example/a.git", "refs/heads/main", OLD, NEW, False)],
    ),
    "bitbucket": (
        "repo:push",
        CLOUD,
        [
            ("https://bitbucket.org/team/a.git", "refs/heads/main", OLD, NEW, True),
            ("https://bitbucket.org/team/a.git", "refs/tags/v1", ZERO, NEW, True),
            ("https://bitbucket.org/team/a.git", "refs/heads/gone", OLD, ZERO, True),
        ],
    ),
}
EVERY = pytest.mark.parametrize("name", FORGES)


def signed(name, body, event, secret=SECRET):
    forge, mac = FORGES[name], hmac.digest(secret.encode(), body, "sha256").hex()
    proof = {"gitlab": secret, "gitea": mac}.get(name, f"sha256={mac}")
    return {forge.proof: proof, forge.event: event}


def read(name, body=None, event=None, headers=None, secrets=(SECRET,)):
    kind, told, _ = CASES[name]
    raw = json.dumps(told).encode() if body is None else body
    sent = signed(name, raw, event or kind) if headers is None else headers
    return repo_events(FORGES[name], sent, raw, secrets, 7.0)


def pull_request(action="opened", fork="eve/a"):
    return {
        "action": action,
        "number": 7,
        "pull_request": {
            "head": {"sha": NEW, "repo": {"full_name": fork} if fork else None},
            "base": {"sha": OLD, "repo": {"full_name": "team/a"}},
        },
        "repository": {"clone_url": "https://git.example/a.git", "private": False},
    }


@pytest.mark.parametrize(
    ("told", "number"),
    [
        (pull_request(), 1),
        (pull_request("synchronize"), 1),
        (pull_request(fork=""), 1),  # the fork is gone, its commits are here
        (pull_request(fork="team/a"), 0),  # its commits came by a push
        (pull_request("closed"), 0),
    ],
)
def test_a_pull_request_brings_the_commits_of_a_fork(told, number):
    found = moves(read("github", json.dumps(told).encode(), "pull_request"))
    moved = ("https://git.example/a.git", "refs/pull/7/head", OLD, NEW, False)
    assert found == [moved] * number


def moves(events):
    return [(one.repository, one.ref, one.before, one.after, one.private) for one in events]


@EVERY
def test_reads_a_push(name):
    events = read(name)
    assert moves(events) == CASES[name][2]
    assert {one.forge for one in events} == {name}
    assert len({one.delivery for one in events}) == len(events)


def test_reads_a_push_of_bitbucket_data_center():
    body = json.dumps(SERVER).encode()
    assert moves(read("bitbucket", body, "repo:refs_changed")) == [
        ("https://git.example/scm/a.git", "refs/heads/main", OLD, NEW, False)
    ]


@pytest.mark.parametrize(
    ("clone", "address"),
    [
        ([("ssh", "ssh://git@git.example/a.git"), ("http", "https://git.example/a.git")], "https"),
        ([("ssh", "ssh://git@git.example/a.git")], "ssh"),
    ],
)
def test_of_the_addresses_of_bitbucket_data_center_the_web_s_is_taken(clone, address):
    links = {"clone": [{"name": name, "href": href} for name, href in clone]}
    body = json.dumps({**SERVER, "repository": {"links": links}}).encode()
    ((repository, *_, private),) = moves(read("bitbucket", body, "repo:refs_changed"))
    assert (repository.partition(":")[0], private) == (address, True)


@pytest.mark.parametrize(
    "told",
    [
        {**CLOUD, "push": {"changes": [{"old": None, "new": None}]}},
        {**SERVER, "repository": {"links": {"clone": []}}},
    ],
)
def test_refuses_a_push_of_bitbucket_that_tells_no_ref_or_no_address(told):
    with pytest.raises(FormatError):
        read("bitbucket", json.dumps(told).encode())


@EVERY
def test_does_nothing_for_other_events(name):
    assert read(name, event="ping") == []


@EVERY
@pytest.mark.parametrize("secrets", [(), ("",), ("another",)])
def test_believes_nobody_without_the_secret(name, secrets):
    with pytest.raises(SignatureError):
        read(name, secrets=secrets)


@EVERY
def test_believes_the_old_secret_and_the_new_one(name):
    assert read(name, secrets=("another", SECRET))


@EVERY
def test_refuses_a_proof_of_something_else(name):
    body = json.dumps(CASES[name][1]).encode()
    proof = FORGES[name].proof
    for forged in ("", "x", "sha256=", "é", "sha256=" + "0" * 64):
        headers = {**signed(name, body, CASES[name][0]), proof: forged}
        with pytest.raises(SignatureError):
            read(name, body, headers=headers)
    if name != "gitlab":  # which signs nothing
        with pytest.raises(SignatureError):
            read(name, body + b" ", headers=signed(name, body, CASES[name][0]))


@EVERY
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"a":' * 9999, b"payload=1"])
def test_refuses_what_is_no_push(name, body):
    with pytest.raises(FormatError):
        read(name, body)


@pytest.mark.parametrize(
    "address", ["ext::sh -c id", "--upload-pack=x", "https://-x/", "file\n:///a"]
)
def test_refuses_an_address_that_git_must_not_be_given(address):
    body = json.dumps({**GITLAB, "project": {**GITLAB["project"], "git_http_url": address}})
    with pytest.raises(FormatError, match="repository"):
        read("gitlab", body.encode())


def test_refuses_too_many_refs_at_once():
    one = CLOUD["push"]["changes"][0]
    body = json.dumps({**CLOUD, "push": {"changes": [one] * 1001}}).encode()
    with pytest.raises(FormatError, match="1000 refs"):
        read("bitbucket", body)
