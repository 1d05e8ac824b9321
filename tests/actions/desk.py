"""Real parts for the tests of actions: a key store with a clock, alerts, a webhook receiver."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread

from sqlalchemy import select

from actions.policy import load
from actions.respond import respond
from database.schema import outbox
from database.transaction import reading, transaction
from keystore import query
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from vocabulary.alert import Alert, Evidence, Span
from vocabulary.errors import DatabaseError

START = 1_750_000_000.0
ALL = frozenset({"throttle", "suspend", "rotate", "reissue", "revoke"})


def alert_about(key="", *, number="1", severity="high", **other) -> Alert:
    return Alert(
        **(
            {
                "id": f"alert_{number}",
                "ts": "2025-06-15T15:06:40.000Z",
                "kind": "anomaly",
                "severity": severity,
                "family": "network",
                "summary": "requests from a hosting network",
                "evidence": (Evidence("network", "203.0.113.0/24", "198.51.100.0/24", 1e-5),),
                "events": Span("2025-06-15T15:00:00Z", "2025-06-15T15:06:40Z", 42),
                "key": key,
            }
            | other
        )
    )


class Desk:
    """A key store, a policy and a clock, on which alerts are answered as the pipeline does."""

    def __init__(self, engine) -> None:
        self.engine, self.now, self.policy = engine, START, load()
        self.store = KeyStore(engine, clock=lambda: self.now)

    def clock(self) -> float:
        return self.now

    def key(self, **order) -> str:
        order = {"environment": "live", "owner": "ann"} | order
        return self.store.create(KeyOrder(**order), actor="ann").key.id

    def known(self, key_id):
        with reading(self.engine) as connection:
            found = query.by_ids(connection, [key_id]).get(key_id)
        return found.known(self.now) if found else None

    def answer(self, alert, enabled=ALL):
        with transaction(self.engine) as connection:
            found = query.by_ids(connection, [alert.key]).get(alert.key)
            key = found.known(self.now) if found else None
            return respond(connection, alert, key, self.policy, enabled, self.now)

    def rows(self, **wanted):
        with reading(self.engine) as connection:
            rows = connection.execute(select(outbox).order_by(outbox.c.id)).all()
        return [row for row in rows if all(getattr(row, k) == v for k, v in wanted.items())]


class Receiver:
    """A receiver of webhooks on 127.0.0.1 that answers as it is told, and keeps what it got."""

    def __init__(self) -> None:
        self.answers: Callable[[int], int] = lambda _number: 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.release = Event()
        self.release.set()
        self._lock = Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=b"

    def messages(self):
        return [json.loads(body) for _, body in self.got]

    def ids(self):
        return [headers["webhook-id"] for headers, _ in self.got]

    def _handler(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # the sender was killed half-way: no message
                with receiver._lock:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    receiver.got.append((headers, body))
                    number = len(receiver.got)
                receiver.release.wait(30)
                try:
                    self.send_response(receiver.answers(number))
                    self.send_header("Location", receiver.url)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    return  # the sender did not wait

            def log_message(self, *_):
                pass

        return Handler


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.release.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


def until(holds, patience_s=20.0):
    end = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def insisting(act, patience_s=120.0):
    """Do it again until the database is there, as the pipeline does."""
    end = time.monotonic() + patience_s
    while True:
        try:
            return act()
        except DatabaseError:
            assert time.monotonic() < end
            time.sleep(0.01)
