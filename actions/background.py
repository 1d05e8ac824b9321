"""An executor that works by itself beside the pipeline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread

from actions.executor import Executor
from vocabulary.errors import DatabaseError, fault_of

POLL_S = 0.1
"""How long an effect waits at most before it is noticed, unless `wake` is called."""

_AWAY_S = 1.0


class Background:
    """Two threads: one for effects, one for messages, so that neither waits for the other."""

    def __init__(self, executor: Executor, told: Callable[[str], None], poll_s: float) -> None:
        self._told, self._poll_s = told, poll_s
        self._stop = Event()
        self._woken = {"effects": Event(), "messages": Event()}
        messages = partial(executor.run_notifications, self._stop.is_set)
        work = {"effects": executor.run_effects, "messages": messages}
        self._threads = [
            Thread(target=self._run, args=(name, once), name=f"actions-{name}", daemon=True)
            for name, once in work.items()
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that there is something to do: after a transaction that recorded alerts."""
        for event in self._woken.values():
            event.set()

    def stop(self) -> None:
        """End after what is being done now; what is left stays in the outbox."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            thread.join()

    def _run(self, name: str, once: Callable[[], int]) -> None:
        woken = self._woken[name]
        while not self._stop.is_set():
            woken.clear()
            try:
                pause_s = 0.0 if once() else self._poll_s
            except DatabaseError as error:
                self._told(str(error))
                pause_s = _AWAY_S
            except Exception as error:  # noqa: BLE001  (a defect must not end the work in silence)
                self._told(f"{name}: {fault_of(error)} (please report it)")
                pause_s = _AWAY_S
            if pause_s:
                woken.wait(pause_s)


@contextmanager
def running(
    executor: Executor, told: Callable[[str], None], poll_s: float = POLL_S
) -> Iterator[Background]:
    """Let the executor work while the block runs.

    Args:
        executor: what works off the outbox.
        told: is given what is wrong with the database or with us, a line each time.
        poll_s: seconds between two looks at an outbox that was empty.
    """
    background = Background(executor, told, poll_s)
    background.start()
    try:
        yield background
    finally:
        background.stop()
