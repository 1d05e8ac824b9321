"""Work beside the pipeline: whatever goes wrong in one turn, the next one comes."""

import threading

import pytest

from keywatch.beside import beside
from vocabulary.errors import ServiceError

SECRET = "s3cr3t" * 4


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServiceError("away", where="here"), "here: away"),
        (KeyError(SECRET), "odd jobs: a fault of keywatch itself: KeyError at test_turns.py:"),
    ],
    ids=["an error", "a defect"],
)
def test_a_turn_that_fails_is_told_and_the_next_one_comes(monkeypatch, error, said):
    monkeypatch.setattr("keywatch.beside.AWAY_S", 0.01)
    errors, told, again = [error], [], threading.Event()

    def turn() -> float:
        if errors:
            raise errors.pop()
        again.set()
        return 60.0

    with beside("odd jobs", turn, threading.Event(), told.append):
        assert again.wait(20)
    (line,) = told
    assert line.startswith(said)
    assert SECRET not in line
