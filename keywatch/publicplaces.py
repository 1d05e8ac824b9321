"""Public places: what people push in public, and where code search finds our keys.

https://docs.github.com/en/rest/activity/events
https://docs.github.com/en/rest/search/search#search-code
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import quote

import msgspec
from sqlalchemy import Engine

from database.transaction import reading, transaction
from keywatch.beside import beside
from keywatch.config_streams import RepositorySettings
from keywatch.fetching import Answer, answered
from streams import checkpoint, repoqueue
from streams.disclosure import Disclosure
from streams.repository import checked
from vocabulary.credential import Cleaner
from vocabulary.errors import ServiceError
from vocabulary.repository import RepoEvent

Ask = Callable[[str, dict[str, str]], Answer]
Judge = Callable[[Sequence[Disclosure]], Sequence[bool | None]]

LOOK_S = 60.0
FILES = 25
"""Files that are fetched at one look; the others at the next ones."""

_SEEN = 5000
_MOST_WAIT_S = 3600.0
_UNCHANGED, _DENIED, _TOO_MANY = 304, 403, 429
_ZERO = "0" * 40


class _Repo(msgspec.Struct):
    name: str


class _Event(msgspec.Struct):
    id: str
    type: str
    repo: _Repo
    payload: dict[str, Any]


class _File(msgspec.Struct):
    sha: str
    url: str
    html_url: str


class _Found(msgspec.Struct):
    items: list[_File]


_EVENTS, _FOUND = msgspec.json.Decoder(list[_Event]), msgspec.json.Decoder(_Found)


class PublicPlaces:
    """Looks at what is public, as often as it is allowed to.

    Args:
        engine: the database.
        settings: what to look at.
        judge: deals with keys that were found.
        clean: finds secrets in lines.
        tell: called with what a person should know.
        ask: asks the API.
        clock: epoch seconds.
    """

    def __init__(
        self,
        engine: Engine,
        settings: RepositorySettings,
        judge: Judge,
        clean: Cleaner,
        tell: Callable[[str], None],
        *,
        ask: Ask = answered,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._settings, self._judge, self._clean = engine, settings, judge, clean
        self._tell, self._ask, self._clock = tell, ask, clock
        self._stop = threading.Event()
        self._not_before = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look in a thread while the block runs, where there is something to look at."""
        if not self._settings.public_events and not self._settings.public_search:
            yield
            return
        with beside("public places", self._again, self._stop, self._tell):
            yield

    def turn(self) -> None:
        """Look once at every place whose time has come.

        One that cannot be had is told of; who is asked to wait waits, with all that it asks.

        Raises:
            DatabaseError: when the database is away.
        """
        looks = [
            *((self._events, who) for who in self._settings.public_events),
            *((self._search, prefix) for prefix in self._settings.public_search),
        ]
        for look, what in looks:
            if self._stop.is_set() or self._clock() < self._not_before:
                return
            try:
                look(what)
            except ServiceError as error:
                self._tell(str(error))

    def _again(self) -> float:
        self.turn()
        return LOOK_S

    def _events(self, who: str) -> None:
        """Queue the public pushes of somebody."""
        name = f"public:{who}"
        kept = self._kept(name)
        if self._clock() < kept.get("not_before", 0.0):
            return
        tail = "events/public" if who.startswith("users/") else "events"
        url = f"{self._settings.github_api}/{quote(who)}/{tail}?per_page=100"
        etag = {"if-none-match": str(kept["etag"])} if kept.get("etag") else {}
        answer = self._answer(url, etag)
        found = [] if answer.status == _UNCHANGED else _decoded(_EVENTS, answer.body, url)
        now = self._clock()
        wait_s = max(self._settings.poll_s, _seconds(answer.headers.get("x-poll-interval")))
        new = {"etag": answer.headers.get("etag", kept.get("etag", "")), "not_before": now + wait_s}
        with transaction(self._engine) as connection:
            for one in found:
                event = _push(one, self._settings.github_api, now)
                if event is not None:
                    repoqueue.put(connection, event)
            checkpoint.save(connection, name, new, now)

    def _search(self, prefix: str) -> None:
        """Ask where a beginning of our keys stands, and judge what stands there."""
        name = f"public:search:{prefix}"
        kept = self._kept(name)
        if self._clock() < kept.get("not_before", 0.0):
            return
        query = quote(f'"{prefix}"', safe="")
        url = f"{self._settings.github_api}/search/code?q={query}&per_page=100"
        found = _decoded(_FOUND, self._answer(url, {}).body, url).items
        seen = dict.fromkeys(kept.get("seen", ()))
        fresh = [one for one in found if f"{one.sha} {one.html_url}" not in seen]
        for one in fresh[:FILES]:
            if self._stop.is_set() or self._clock() < self._not_before:
                break
            self._judge_file(one)
            seen[f"{one.sha} {one.html_url}"] = None
        now = self._clock()
        rest = any(f"{one.sha} {one.html_url}" not in seen for one in fresh)
        wait_s = LOOK_S if rest else self._settings.poll_s
        new = {"seen": list(seen)[-_SEEN:], "not_before": now + wait_s}
        with transaction(self._engine) as connection:
            checkpoint.save(connection, name, new, now)

    def _judge_file(self, one: _File) -> None:
        if not one.url.startswith(f"{self._settings.github_api}/"):
            return  # who answers must not send us, and our token, elsewhere
        raw = self._answer(one.url, {"accept": "application/vnd.github.raw+json"}).body
        _, exposures = self._clean(raw.split(b"\n"))
        credentials = {each.credential.sha256: each for each in exposures}
        reported = [
            Disclosure(each.credential, each.rule, one.html_url[:2048], "GitHub code search")
            for each in credentials.values()
        ]
        if reported:
            self._judge(reported)

    def _answer(self, url: str, headers: dict[str, str]) -> Answer:
        """Ask; who is told to wait asks nothing more until then.

        Raises:
            ServiceError: when there is no answer, or a refusal.
        """
        token = self._settings.github_token
        own = {"authorization": f"Bearer {token}"} if token else {}
        answer = self._ask(url, {**own, **headers})
        spent = answer.headers.get("x-ratelimit-remaining") == "0"
        if answer.status in (_DENIED, _TOO_MANY) or spent:
            self._not_before = self._clock() + self._wait_s(answer.headers)
        if answer.status >= 400:  # noqa: PLR2004  (a refusal)
            _refused(url, answer.status)
        return answer

    def _wait_s(self, headers: Mapping[str, str]) -> float:
        """Return for how long nothing may be asked."""
        asked = _seconds(headers.get("retry-after"))
        reset = _seconds(headers.get("x-ratelimit-reset")) - self._clock()
        return min(max(asked, reset, LOOK_S), _MOST_WAIT_S)

    def _kept(self, name: str) -> Mapping[str, Any]:
        with reading(self._engine) as connection:
            return checkpoint.load(connection, name) or {}


def _push(one: _Event, api: str, now: float) -> RepoEvent | None:
    """Return a push as an event of a repository; None for anything else."""
    if one.type != "PushEvent":
        return None
    said = {name: str(one.payload.get(name) or "") for name in ("ref", "before", "head")}
    home = "https://github.com" if api == "https://api.github.com" else api.rpartition("/api")[0]
    event = checked(
        RepoEvent(
            f"public:{one.id}"[:200],
            "github",
            f"{home or api}/{one.repo.name}.git",
            said["ref"],
            said["before"] or _ZERO,
            said["head"],
            private=False,
            received_at=now,
        )
    )
    return None if isinstance(event, str) else event


def _decoded(decoder: Any, body: bytes, url: str) -> Any:  # noqa: ANN401  (what it decodes)
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ServiceError("not what GitHub answers", where=url, remedy="check it") from error


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() else 0.0


def _refused(url: str, status: int) -> NoReturn:
    raise ServiceError(f"answers {status}", where=url, remedy="check repositories.github_token")
