"""A house in which something has happened, and a client of its API."""

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from database.transaction import transaction
from keywatch.api.app import api
from keywatch.console.site import site
from keywatch.people import sessions
from tests.console.house import House


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    made = House(f"sqlite:///{tmp_path / 'keywatch.db'}")
    yield made
    made.engine.dispose()


@pytest.fixture
def happened(house) -> dict[str, str]:
    return house.furnish()


@pytest.fixture
def client(house) -> Iterator[TestClient]:
    with TestClient(api(house.desk)) as made:
        made.headers["authorization"] = f"Bearer {house.token('read', 'write')}"
        yield made


class Browser(TestClient):
    """Somebody at a browser."""

    def csrf(self) -> str:
        """Return what their forms must carry."""
        return re.search(r'name="csrf" value="(\w+)"', self.get("/").text)[1]


@pytest.fixture
def visitor(house):
    """Return a maker of browsers in which somebody is logged in."""
    app, made = site(house.desk), []

    def make(name, role):
        house.user(name, role)
        client = Browser(app, follow_redirects=False, raise_server_exceptions=True)
        client.__enter__()
        made.append(client)
        with transaction(house.engine) as connection:
            client.cookies.set("keywatch", sessions.start(connection, name, house.now))
        return client

    yield make
    for client in made:
        client.__exit__(None, None, None)
