"""A database in which something has happened: keys, alerts, actions, leaks, and hostile words."""

from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import msgspec
from sqlalchemy import insert

from actions.executor import Executor
from actions.policy import load
from actions.respond import respond
from database.schema import dead_letters, findings, positions, profiles
from database.transaction import transaction
from detectors.packing import pack
from detectors.profile import VERSION, blank, words_of
from keystore import query, usage
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.config import Settings
from keywatch.config_actions import ActionSettings
from keywatch.desk.desk import Desk
from keywatch.people import passwords, tokens, users
from keywatch.people.roles import scopes_of
from tests.databases import open_empty
from vocabulary.alert import Alert, Evidence, Span
from vocabulary.moments import rfc3339

NOW = 1_750_000_000.0
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}\u202e"
"""What an attacker writes where a user agent, a path or a file name is shown."""
PASSWORD = "quiet harbour lamp seven"
ALL = frozenset({"throttle", "suspend", "rotate", "revoke"})


hashed = cache(passwords.hashed)
"""A hash is made to cost much: one does for all who have the same password here."""


class House:
    """A database, a clock and a desk.

    Args:
        url: of the database.
        enabled: actions that are carried out.
    """

    def __init__(self, url: str, enabled=ALL) -> None:
        self.engine, self.now = open_empty(url), NOW
        self.settings = Settings(database=url, actions=ActionSettings(enabled=tuple(enabled)))
        self.enabled = frozenset(enabled)
        self.store = KeyStore(self.engine, clock=self.clock)
        self.desk = Desk(self.engine, self.settings, self.clock)
        self.policy = load()
        self.number = 0

    def clock(self) -> float:
        return self.now

    def key(self, **order) -> str:
        order = {"environment": "live", "owner": "ann"} | order
        return self.store.create(KeyOrder(**order), actor="ann").key.id

    def alert(self, key="", severity="high", **other) -> Alert:
        """Have something noticed about a key, and answered."""
        self.number += 1
        said = Alert(
            **(
                {
                    "id": f"alert_{self.number:06}",
                    "ts": rfc3339(self.now),
                    "kind": "anomaly",
                    "severity": severity,
                    "family": "network",
                    "summary": "requests from a hosting network",
                    "evidence": (Evidence("network", "203.0.113.0/24", "198.51.100.0/24", 1e-5),),
                    "events": Span(rfc3339(self.now - 400), rfc3339(self.now), 42),
                    "key": key,
                }
                | other
            )
        )
        with transaction(self.engine) as connection:
            found = query.by_ids(connection, [key]).get(key)
            known = found.known(self.now) if found else None
            return respond(connection, said, known, self.policy, self.enabled, self.now)

    def carry_out(self) -> None:
        """Do what is in the outbox."""
        Executor(self.engine, clock=self.clock).run_effects()

    def leak(self, key="", path="src/app.py", fingerprint="f0") -> None:
        """Keep a finding."""
        place = {"path": path, "line": 3, "commit": "c" * 40, "author": "eve", "date": ""}
        body = {
            "rule": "keywatch-key",
            "name": "keywatch API key",
            "severity": "critical",
            "confidence": "high",
            **place,
            "places": [place],
            "count": 1,
            "secret": "sk_live_ab…yz",
            "fingerprint": fingerprint,
            "verdict": {"store": "live", "checksum": "valid", "provider": "unasked"},
            "environment": "live",
            "source": "github:acme/shop",
        }
        row = {"fingerprint": fingerprint, "key_id": key, "body": body}
        with transaction(self.engine) as connection:
            seen = {"first_seen_at": self.now, "last_seen_at": self.now}
            connection.execute(insert(findings), [row | seen])

    def source(self, name="file:/var/log/access.log", lost=b"not a line") -> None:
        """Have a source read, and a line of it lost."""
        position = {"offset": 4711, "inode": 7}
        with transaction(self.engine) as connection:
            row = {"source": name, "position": position, "updated_at": self.now - 2}
            connection.execute(insert(positions), [row])
            letter = {"source": name, "position": position, "reason": HOSTILE, "raw": lost}
            connection.execute(insert(dead_letters), [letter | {"at": self.now}])

    def used(self, key: str, hours=48) -> None:
        """Have a key used every hour."""
        start = int(self.now // 3600) * 3600
        uses = [
            usage.Use(key, start - 3600 * back, "GET", 2 + 2 * (back % 7 == 0), "8.8.8.0/24", 50)
            for back in range(hours)
        ]
        with transaction(self.engine) as connection:
            usage.record(connection, uses, {key: self.now}, self.now)

    @contextmanager
    def writing(self):
        """Yield a connection that writes."""
        with transaction(self.engine) as connection:
            yield connection

    def profiled(self, key: str) -> None:
        """Have the detectors know a key, if hardly."""
        data = pack(key, words_of(blank(1)))
        row = {"key_id": key, "version": VERSION, "as_of": 0, "data": data}
        with transaction(self.engine) as connection:
            connection.execute(insert(profiles), [row])

    def user(self, name: str, role: str) -> None:
        """Let somebody in."""
        with transaction(self.engine) as connection:
            users.add(connection, name, role, hashed(PASSWORD), actor="x", now=self.now)

    def token(self, *words: str, name="robot", life_s=None, owner=None, actor="x") -> str:
        """Make a token."""
        told = {"owner": owner, "life_s": life_s, "actor": actor, "now": self.now}
        with transaction(self.engine) as connection:
            return tokens.create(connection, name, scopes_of(words), **told)[1]

    def furnish(self) -> dict[str, str]:
        """Let a good deal happen; return what it happened to."""
        stolen, loud, leaked = self.key(), self.key(name=HOSTILE), self.key(owner="bea")
        for key in (stolen, loud, leaked):
            self.used(key)
        self.alert(stolen, "critical")
        self.alert(loud, "high", summary=HOSTILE)
        self.carry_out()
        self.leak(leaked, path=HOSTILE)
        self.alert(leaked, "critical", kind="leak", family="leak", summary=f"in {HOSTILE}")
        self.alert(ip="203.0.113.9", kind="stuffing", severity="medium")
        self.source(lost=HOSTILE.encode())
        guards = msgspec.structs.replace(self.policy.guards, revocations_per_hour=0)
        free, self.policy = self.policy, replace(self.policy, guards=guards)
        held = self.key(owner="carl")
        self.alert(held, "critical")
        self.policy = free
        return {"stolen": stolen, "loud": loud, "leaked": leaked, "held": held}
