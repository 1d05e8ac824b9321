"""A key store on each database, and a clock that a test moves."""

from collections.abc import Iterator

import pytest

from keystore.store import KeyStore
from tests.databases import open_empty

START = 1_750_000_000.0


class Clock:
    """Epoch seconds that stand still until they are moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[KeyStore]:
    engine = open_empty(database_url)
    yield KeyStore(engine, clock, peppers={"old": b"a pepper"})
    engine.dispose()


@pytest.fixture
def local(tmp_path, clock: Clock) -> Iterator[KeyStore]:
    """A store where it does not matter which database it is on."""
    engine = open_empty(f"sqlite:///{tmp_path / 'keywatch.db'}")
    yield KeyStore(engine, clock, peppers={"old": b"a pepper"})
    engine.dispose()
