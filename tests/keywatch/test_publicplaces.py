"""Public places, against a stand-in of GitHub's API."""

import base64
import json

import pytest

from database.schema import alerts, findings, repo_events
from database.transaction import reading
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch import wiring
from keywatch.config import Settings
from keywatch.config_streams import RepositorySettings
from keywatch.keybook import KeyBook
from keywatch.publicplaces import LOOK_S, PublicPlaces
from keywatch.reported import Judge
from keywatch.voice import Voice
from tests.httpd import serving

HEAD = "a" * 40
PUSH = {
    "id": "1",
    "type": "PushEvent",
    "repo": {"name": "ann/dotfiles"},
    "payload": {"ref": "refs/heads/main", "before": "b" * 40, "head": HEAD},
}
OTHERS = [
    {**PUSH, "id": "2", "type": "WatchEvent"},
    {**PUSH, "id": "3", "payload": {"ref": "--upload-pack=x", "head": HEAD}},
    {**PUSH, "id": "4", "payload": {}},
]


class Clock:
    now = 1_790_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def looking(engine, clock):
    told = []

    def looking(url, **settings):
        place = RepositorySettings(github_api=url, github_token="t0ken", **settings)
        whole = Settings(repositories=place)
        book = KeyBook(engine, whole.keys)
        voice = Voice(tell=told.append, alert=lambda _: None)
        respond = wiring.responder(
            wiring.policy(whole), frozenset(), book.known_key, lambda _: clock()
        )
        judge = Judge(engine, book, respond, voice, lambda: None)
        clean = wiring.cleaner(whole.scan, {})
        return PublicPlaces(engine, place, judge, clean, told.append, clock=clock), told

    return looking


def rows(engine, table):
    with reading(engine) as connection:
        return connection.execute(table.select()).mappings().all()


def test_public_pushes_of_people_are_queued_once_and_only_asked_for_when_allowed(
    engine, looking, clock
):
    def answer(asked):
        if asked.headers.get("if-none-match") == '"v1"':
            return 304, {"ETag": '"v1"'}, b""
        return 200, {"ETag": '"v1"', "X-Poll-Interval": "600"}, json.dumps([PUSH, *OTHERS]).encode()

    with serving(answer) as github:
        places, told = looking(github.url, public_events=("users/ann",), poll_s=10.0)
        places.turn()
        clock.now += 599
        places.turn()  # not yet: it was asked to wait for 600 s
        clock.now += 2
        places.turn()
    assert [one.path for one in github.asked] == ["/users/ann/events/public?per_page=100"] * 2
    assert github.asked[0].headers["authorization"] == "Bearer t0ken"
    (queued,) = rows(engine, repo_events)
    assert (queued["body"]["after"], queued["body"]["private"]) == (HEAD, False)
    assert queued["body"]["repository"].endswith("/ann/dotfiles.git")
    assert not told


def test_a_key_that_code_search_finds_is_a_public_leak(engine, looking, clock):
    key = KeyStore(engine).create(KeyOrder(owner="ann"), actor="test")
    text = f"a = 1\nKEY = '{key.secret}'\n".encode()

    def answer(asked):
        if asked.path.startswith("/search/code"):
            items = [
                {"sha": "1", "url": f"{github.url}/file", "html_url": "https://example/a"},
                {"sha": "2", "url": "https://elsewhere.example/file", "html_url": "https://x"},
            ]
            return 200, {}, json.dumps({"items": items}).encode()
        return 200, {}, text

    with serving(answer) as github:
        places, told = looking(github.url, public_search=("sk_live_",), poll_s=10.0)
        for _ in range(2):
            places.turn()
            clock.now += 3600
    places._judge.work_off()
    assert not told
    assert [one.path.partition("?")[0] for one in github.asked] == [
        "/search/code",
        "/file",
        "/search/code",  # what was looked at is not fetched again
    ]
    (found,) = rows(engine, findings)
    assert (found["key_id"], found["body"]["exposure"]) == (key.key.id, "public")
    assert key.secret not in json.dumps([dict(one) for one in rows(engine, alerts)])
    (alert,) = rows(engine, alerts)
    assert alert["severity"] == "critical"


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (429, {"Retry-After": "900"}, 900),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{reset}"}, 1200),
        (403, {}, LOOK_S),
    ],
)
def test_who_is_told_to_wait_asks_nothing_more_until_then(looking, clock, status, headers, wait_s):
    reset = str(int(clock.now) + 1200)
    said = {name: value.format(reset=reset) for name, value in headers.items()}
    with serving(lambda _: (status, said, b"")) as github:
        places, told = looking(github.url, public_events=("users/a", "orgs/b"), poll_s=10.0)
        places.turn()
        clock.now += wait_s - 1
        places.turn()
        assert len(github.asked) == 1
        assert "answers" in told[0]
        assert "t0ken" not in told[0]
        clock.now += 2
        places.turn()
        assert len(github.asked) == 2


def test_what_is_not_githubs_answer_is_told_and_the_others_are_asked(looking):
    body = base64.b64encode(b"\xff" * 30)
    with serving(lambda _: (200, {}, body)) as github:
        places, told = looking(github.url, public_events=("users/a", "orgs/b"), poll_s=10.0)
        places.turn()
    assert len(github.asked) == len(told) == 2
