"""Who does not end the head of a request to an intake is cut off and counted; others are served."""

import http.client
import socket
from contextlib import ExitStack

import pytest

from database.transaction import reading
from gateway.bounded import BoundedProtocol
from keywatch.doorkeeper import Doorkeeper
from keywatch.intake import serving
from keywatch.status import status
from streams import checkpoint
from streams.sources import http as intake

TOKEN = "a token of a test"
HALVES = [
    b"",
    b"P",
    b"POST /events HTTP/1.1\r\nHost: a\r\n",
    b"POST /events HTTP/1.1\r\nX-A: " * 40,
]


@pytest.fixture
def port(engine, monkeypatch):
    monkeypatch.setattr(BoundedProtocol, "head_timeout_s", 2.0)

    def known(keys):
        with reading(engine) as connection:
            return checkpoint.delivered(connection, keys)

    with intake.HttpSource("test", known, max_waiting=40) as source:
        source.open(None)
        keeper = Doorkeeper(engine, "events")
        app = intake.app(source, [TOKEN], commit_s=0.01)
        with serving(keeper, app, "127.0.0.1", 0) as port:
            yield port, keeper


def test_heads_that_never_end_are_cut_off_and_hold_up_nobody(engine, port):
    number, keeper = port
    with ExitStack() as opened:
        slow = [
            opened.enter_context(socket.create_connection(("127.0.0.1", number), 60))
            for _ in range(25 * len(HALVES))
        ]
        for place, one in enumerate(slow):
            one.sendall(HALVES[place % len(HALVES)])
        patient = http.client.HTTPConnection("127.0.0.1", number, timeout=60)
        patient.request("POST", "/events", b"{}", {"Authorization": f"Bearer {TOKEN}"})
        assert patient.getresponse().status == 503  # nobody commits, and that is all that is wrong
        patient.close()
        answers = [one.makefile("rb").read() for one in slow]  # to the end: hung up on
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 408"}
    keeper.write()
    assert status(engine)["refused"]["events 408"] == len(slow)
