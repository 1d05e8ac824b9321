"""A desk with a key store, and a receiver of webhooks, for every test that asks."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from keywatch.cli import keywatch
from tests.actions.desk import Desk, Receiver, receiving
from tests.actions.mailserver import MailServer, mail_server
from tests.databases import open_empty


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    engine = open_empty(f"sqlite:///{tmp_path}/keywatch.db")
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


@pytest.fixture
def run(desk):
    """Run a command of ours on the desk's database; returns what it printed."""

    def run(*arguments, exit_code=0):
        words = ["--database", str(desk.engine.url), *map(str, arguments)]
        result = CliRunner().invoke(keywatch, words, standalone_mode=False)
        if result.exception:
            raise result.exception
        assert (result.return_value or 0) == exit_code
        return result.stdout

    return run
