"""Secrets that others found and reported: ours become findings and alerts at once."""

import threading
import time
from collections.abc import Callable, Sequence
from hashlib import sha256

from sqlalchemy import Engine

from keywatch import leaks
from keywatch.keybook import KeyBook
from keywatch.voice import Voice
from streams.disclosure import Disclosure
from vocabulary.credential import KnownKey
from vocabulary.finding import Finding, Place, Verdict


class Judge:
    """Deals with reports of secrets; a `streams.webhook.Judge`, called from several threads.

    Args:
        engine: the database.
        book: of keys; this judge's own.
        respond: from alert to outbox.
        voice: where to speak.
        wake: called when there may be something to do in the outbox.
    """

    def __init__(
        self,
        engine: Engine,
        book: KeyBook,
        respond: leaks.Respond,
        voice: Voice,
        wake: Callable[[], None],
    ) -> None:
        self._engine, self._book, self._respond = engine, book, respond
        self._voice, self._wake = voice, wake
        self._lock = threading.Lock()

    def __call__(self, reported: Sequence[Disclosure]) -> Sequence[bool]:
        """Keep what is ours and respond to it, all in one transaction; say which those are.

        Raises:
            DatabaseError: nothing was kept.
        """
        with self._lock:
            known = self._book.find([one.credential for one in reported])
            found = [_finding(one, key) for one, key in zip(reported, known, strict=True) if key]
            if found:
                known_key, in_public = self._book.known_key, leaks.FoundIn(exposure="public")
                alerts = leaks.answer(
                    self._engine, found, known_key, self._respond, time.time(), in_public
                )
                for alert in alerts:
                    self._voice.alert(alert)
                self._wake()
        return [key is not None for key in known]


def _finding(one: Disclosure, key: KnownKey) -> Finding:
    cause = f"reported\n{one.credential.sha256}\n{one.url}\n{one.source}"
    return Finding(
        rule="reported-key",
        name="A key that somebody found and reported",
        severity="critical",
        confidence="high",
        path=one.url or one.source or "reported",
        line=0,
        column=0,
        end_line=0,
        commit="",
        blob="",
        author="",
        date="",
        places=(Place(one.url or one.source or "reported"),),
        count=1,
        secret=one.credential.redacted,
        fingerprint=sha256(cause.encode()).hexdigest(),
        verdict=Verdict(store=key.verdict),
        key_id=key.key_id,
        key_state=key.state,
        environment=key.environment,
        reasons=(f"reported as {one.kind or 'a key'} in {one.source or 'an unnamed place'}",),
        decoding=(),
        source="report",
        tags=(),
        credential=one.credential,
    )
