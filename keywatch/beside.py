"""Work beside the pipeline: in a thread of its own, turn by turn, for as long as a block runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vocabulary.errors import KeywatchError, fault_of

AWAY_S = 2.0
"""How long to wait after a turn that failed."""


@contextmanager
def beside(
    name: str, turn: Callable[[], float], stop: threading.Event, tell: Callable[[str], None]
) -> Iterator[None]:
    """Take turns while the block runs; the turn in hand is waited for.

    Args:
        name: of the thread.
        turn: does what is to be done, and returns how many seconds may pass before the next.
        stop: is set in the end; a long turn looks at it.
        tell: called with what went wrong; the next turn comes all the same.
    """

    def run() -> None:
        while not stop.is_set():
            try:
                wait_s = turn()
            except KeywatchError as error:
                tell(str(error))
                wait_s = AWAY_S
            except Exception as error:  # noqa: BLE001  (a defect must not end the work in silence)
                tell(f"{name}: {fault_of(error)} (please report it)")
                wait_s = AWAY_S
            stop.wait(wait_s)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
