"""What comes from outside beside the logs: pushes, reports, polled repositories, public places."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Engine

from actions.hook import Hook
from actions.policy import Policy
from keywatch import foreign, portrait, wiring
from keywatch.config import Settings
from keywatch.intake import intake
from keywatch.keybook import KeyBook
from keywatch.polling import Polling
from keywatch.publicplaces import PublicPlaces
from keywatch.pushes import Pushes
from keywatch.reported import Judge
from keywatch.voice import Voice
from vocabulary.credential import Cleaner


class Outside:
    """Takes in what tells of leaks; each source of it works in a thread of its own.

    Args:
        engine: the database.
        settings: the configuration.
        policy: which case leads to which action.
        enabled: actions that may be carried out.
        voice: where to speak.
        wake: called when there may be something to do in the outbox.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        policy: Policy,
        enabled: frozenset[str],
        voice: Voice,
        wake: Callable[[], None],
    ) -> None:
        self._engine, self._settings, self._policy = engine, settings, policy
        self._enabled, self._voice, self._wake = enabled, voice, wake
        self.pushes = Pushes(engine, settings, policy, enabled, voice, wake)

    @contextmanager
    def running(self, hook: Hook | None, clean: Cleaner) -> Iterator[None]:
        """Take in while the block runs.

        Args:
            hook: asked before an action.
            clean: finds secrets in lines.
        """
        settings, tell = self._settings, self._voice.tell
        judge, place = self._judge(hook), settings.repositories
        public = PublicPlaces(self._engine, place, judge, clean, tell)
        with (
            self.pushes.running(),
            judge.running(),
            Polling(self._engine, settings, tell).running(),
            public.running(),
            intake(self._engine, settings, tell, judge),
        ):
            yield

    def _judge(self, hook: Hook | None) -> Judge:
        settings, tell = self._settings, self._voice.tell
        book = KeyBook(self._engine, settings.keys)
        respond = wiring.responder(
            self._policy, self._enabled, book.known_key, lambda _: time.time(), hook,
            partial(portrait.called, self._engine),
        )  # fmt: skip
        elsewhere = None
        if settings.stores:
            elsewhere = foreign.asking(self._engine, settings, tell, adopt=True)
        return Judge(self._engine, book, respond, self._voice, self._wake, elsewhere)
