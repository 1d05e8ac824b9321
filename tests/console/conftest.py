"""A house in which something has happened, and a client of its API."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from keywatch.api.app import api
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
