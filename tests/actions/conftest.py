"""A desk with a key store, and a receiver of webhooks, for every test that asks."""

from collections.abc import Iterator

import pytest

from database.transaction import open_database
from tests.actions.desk import Desk, Receiver, receiving
from tests.actions.mailserver import MailServer, mail_server


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    engine = open_database(f"sqlite:///{tmp_path}/keywatch.db")
    yield Desk(engine)
    engine.dispose()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with mail_server() as one:
        yield one
