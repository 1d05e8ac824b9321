"""Empty databases of both kinds, already of the newest schema."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text

from database.engine import engine_of, sqlite_file
from database.transaction import open_database
from tests.services import Service, need

_SCRIPT = Path(__file__).parent / "services" / "postgres.sh"
_TEMPLATE = "keywatch_template"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Yield the URL of a server that is ours alone, with a template database in it."""
    need("postgresql")
    # not below pytest's own folder: the server's own user must be able to enter
    folder = Path(tempfile.mkdtemp(prefix="keywatch-postgresql-", dir="/var/tmp"))
    folder.chmod(0o755)
    service = Service((str(_SCRIPT),), folder)
    try:
        url = service.start()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_TEMPLATE}")
        open_database(_named(url, _TEMPLATE)).dispose()
        yield url
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """Yield the URL of a database of this test alone."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        # by the default strategy it would go through the log, page by page: twice as dear
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")
    yield _named(postgresql_server, name)
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, once of each kind."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        assert isinstance(url, str)
        return url
    return f"sqlite:///{tmp_path / 'keywatch.db'}"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Return an empty database in a file; where both kinds matter a test takes `database_url`."""
    engine = open_empty(f"sqlite:///{tmp_path / 'keywatch.db'}")
    yield engine
    engine.dispose()


def open_empty(url: str) -> Engine:
    """Open a database that nothing was written to; a file that is not there yet is a copy.

    Making the tables takes 44 ms, and hundreds of tests begin with it; copying takes 5.
    """
    file = sqlite_file(engine_of(url))
    if file and not file.exists():
        file.touch(0o600)
        file.write_bytes(_empty_file())
    return open_database(url)


@cache
def _empty_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        open_database(f"sqlite:///{file}").dispose()
        return file.read_bytes()


def _named(url: str, database: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{database}"


def let_change(connection: Connection) -> None:
    """Take the triggers of the audit log away, as somebody would who may change the schema."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        return
    named = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
    for name in connection.execute(text(named)).scalars().all():
        connection.execute(text(f"DROP TRIGGER {name}"))
