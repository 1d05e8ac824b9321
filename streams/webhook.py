"""An ASGI application that takes in what others tell: pushes, and secrets that they found.

Both are answered before anything is done with them, reports when it is known whose keys they are.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from database.transaction import transaction
from streams import disclosure, repoqueue
from streams.asgi import (
    BODY_TIMEOUT_S,
    Answer,
    Application,
    Message,
    Receive,
    Refused,
    Room,
    application,
    body_of,
    expect_post,
    headers_of,
    peer_of,
)
from streams.disclosure import Disclosure, PublicKeys
from streams.forges import FORGES, MAX_BODY, Forge, repo_events
from streams.signatures import check_token
from vocabulary.errors import DatabaseError, FormatError, ServiceError, SignatureError
from vocabulary.repository import RepoEvent

HOOKS = "/webhooks/"
PARTNER = "/alerts/github"
REPORTS = "/leaks"
_AGAIN = (b"retry-after", b"10")

Judge = Callable[[Sequence[Disclosure]], Sequence[bool | None]]
"""Takes in what was reported; says of each whether it is our key, None where that is to be seen."""


@dataclass(frozen=True, slots=True)
class Reports:
    """How reports of secrets are taken in.

    Attributes:
        judge: deals with them.
        keys: that GitHub signs partner alerts with; None to take in none.
        tokens: who shows one of these may report leaks; none to take in none.
        peppers: pepper id → pepper, for stores of imported keys.
    """

    judge: Judge
    keys: PublicKeys | None = None
    tokens: Sequence[str] = ()
    peppers: Mapping[str, bytes] | None = None


def app(
    engine: Engine,
    secrets: Mapping[str, Sequence[str]],
    *,
    reports: Reports | None = None,
    clock: Callable[[], float] = time.time,
    tell: Callable[[str], None] = lambda _: None,
    body_timeout_s: float = BODY_TIMEOUT_S,
    room: Room | None = None,
) -> Application:
    """Return the application.

    `POST /webhooks/github` (gitlab, gitea, bitbucket) puts pushes into the queue and answers 202,
    or 200 when there is nothing to do (a ping, a delivery that is known). `POST /alerts/github`
    takes partner alerts, `POST /leaks` reports with `Authorization: Bearer`, and both answer which
    tokens are ours. 401 is for what does not prove who sent it, 400, 404, 405, 408, 413 for what is
    no webhook, and 503 to send it again.

    Args:
        engine: the database with the queue.
        secrets: forge → what it proves itself with; without one it is refused.
        reports: how secrets that others found are taken in; None for not at all.
        clock: epoch seconds.
        tell: called with what a person should know.
        body_timeout_s: for a whole body.
        room: for the bodies of all that come at once; None for as much as is usual.
    """
    intake = _Intake(engine, secrets, reports, clock, tell, body_timeout_s, room or Room())
    return application(intake.take_in)


@dataclass(frozen=True, slots=True)
class _Intake:
    engine: Engine
    secrets: Mapping[str, Sequence[str]]
    reports: Reports | None
    clock: Callable[[], float]
    tell: Callable[[str], None]
    body_timeout_s: float
    room: Room

    async def take_in(self, scope: Message, receive: Receive) -> Answer:
        path, headers = scope["path"], headers_of(scope)
        try:
            forge = FORGES.get(path.removeprefix(HOOKS)) if path.startswith(HOOKS) else None
            if forge is not None:
                return await self._pushed(forge, scope, headers, receive)
            if path == PARTNER and self.reports and self.reports.keys:
                return await self._alerted(self.reports.keys, scope, headers, receive)
            if path == REPORTS and self.reports and self.reports.tokens:
                return await self._reported(scope, headers, receive)
        except SignatureError as error:
            self.tell(f"{error}; from {peer_of(scope)}")
            raise Refused(401, error.what) from None
        except FormatError as error:
            raise Refused(400, error.what) from None
        except (DatabaseError, ServiceError) as error:
            self.tell(str(error))
            raise Refused(503, "try again", _AGAIN) from None
        raise Refused(404, "not here")

    async def _pushed(
        self, forge: Forge, scope: Message, headers: dict[str, str], receive: Receive
    ) -> Answer:
        expect_post(scope, headers, MAX_BODY)
        if not headers.get(forge.proof):
            raise Refused(401, "no signature")
        body = await body_of(receive, MAX_BODY, self.body_timeout_s, self.room)
        secrets = self.secrets.get(forge.name, ())
        events = repo_events(forge, headers, body, secrets, self.clock())
        if not events:
            return Answer(200, "nothing to do")
        queued = await asyncio.to_thread(self._put, events)
        return Answer(202, "queued") if queued else Answer(200, "known")

    async def _alerted(
        self, keys: PublicKeys, scope: Message, headers: dict[str, str], receive: Receive
    ) -> Answer:
        expect_post(scope, headers, disclosure.MAX_BODY)
        body = await body_of(receive, disclosure.MAX_BODY, self.body_timeout_s, self.room)
        await asyncio.to_thread(disclosure.verify, headers, body, keys)
        return await self._judged(body)

    async def _reported(self, scope: Message, headers: dict[str, str], receive: Receive) -> Answer:
        assert self.reports is not None
        expect_post(scope, headers, disclosure.MAX_BODY)
        kind, _, given = headers.get("authorization", "").partition(" ")
        token = given.strip() if kind.lower() == "bearer" else ""
        check_token(token, self.reports.tokens, "leak report")
        return await self._judged(await body_of(receive, disclosure.MAX_BODY, self.body_timeout_s))

    async def _judged(self, body: bytes) -> Answer:
        assert self.reports is not None
        reported = disclosure.disclosures(body, self.reports.peppers)
        ours = await asyncio.to_thread(self.reports.judge, reported)
        return Answer(200, "", body=disclosure.labels(reported, ours))

    def _put(self, events: Sequence[RepoEvent]) -> bool:
        with transaction(self.engine) as connection:
            # All of them, whichever is new.
            new = [repoqueue.put(connection, event) for event in events]
        return any(new)
