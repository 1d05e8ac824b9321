"""PostgreSQL and Redis die and come back under load: never a wrong allow, never a crash."""

import http.client
import shutil
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from database.transaction import open_database
from keystore.store import KeyStore
from tests.databases import _SCRIPT
from tests.gateway.conftest import until
from tests.services import Service, need

pytestmark = pytest.mark.service


@pytest.fixture
def postgresql_service():
    """Yield a server that this test may kill."""
    need("postgresql")
    folder = Path(tempfile.mkdtemp(prefix="keywatch-storm-", dir="/var/tmp"))
    folder.chmod(0o755)
    service = Service((str(_SCRIPT),), folder)
    try:
        yield service
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Clients:
    """Threads that ask without pause and count what they are told."""

    count = 4

    def __init__(self, served, secrets):
        self._served, self._secrets = served, secrets
        self._stop = threading.Event()
        self.seen = {name: Counter() for name in secrets}
        self._threads = [threading.Thread(target=self._run) for _ in range(self.count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        connection = http.client.HTTPConnection(self._served.host, self._served.port, timeout=20)
        while not self._stop.is_set():
            for name, secret in list(self._secrets.items()):
                connection.request("GET", "/verify", headers={"X-API-Key": secret})
                response = connection.getresponse()
                response.read()
                self.seen[name][response.status] += 1
        connection.close()


@contextmanager
def stormy(make_place, url, config):
    place = make_place(config)
    place.store.engine.dispose()
    place.url = url
    place.store = KeyStore(open_database(url))
    with place.serving() as served:
        yield place, served


def test_a_database_that_is_killed_and_started_again(make_place, postgresql_service):
    url = postgresql_service.start()
    with stormy(make_place, url, "") as (place, served):
        good, revoked = place.issue(), place.issue()
        place.store.revoke(revoked.key.id, actor="test")
        secrets = {"good": good.secret, "revoked": revoked.secret, "unknown": "nobody-has-this"}
        with Clients(served, secrets) as clients:
            for _ in range(2):
                until(lambda: served.get(good.secret).status == 200)
                postgresql_service.kill()
                until(lambda: served.get(good.secret).status == 503)
                assert served.get(path="/healthz").status == 503
                postgresql_service.start()
            until(lambda: served.get(good.secret).status == 200)
            place.store.revoke(good.key.id, actor="test")
            until(lambda: served.get(good.secret).status == 401)
        place.store.engine.dispose()
        assert served.process.poll() is None
    assert set(clients.seen["good"]) <= {200, 401, 503}
    assert clients.seen["good"][200]
    assert clients.seen["good"][503]
    assert set(clients.seen["revoked"]) <= {401, 503}
    assert set(clients.seen["unknown"]) <= {401, 503}
    said = (place.folder / "stderr").read_text() + place.log.read_text()
    assert "cannot be read" in said
    assert "Traceback" not in said
    assert not any(secret in said for secret in secrets.values())


def test_limits_hold_through_a_redis_that_is_killed_and_started_again(
    make_place, redis_service, tmp_path
):
    url = redis_service.start()
    config = f'[gateway]\nredis = "{url}"\nlimits = ["3000/d"]\n'
    database = f"sqlite:///{tmp_path / 'storm.db'}"
    with stormy(make_place, database, config) as (place, served):
        good, revoked = place.issue(), place.issue()
        place.store.revoke(revoked.key.id, actor="test")
        with Clients(served, {"good": good.secret, "revoked": revoked.secret}) as clients:
            until(lambda: clients.seen["good"][200])
            redis_service.kill()
            until(lambda: clients.seen["good"][503])
            redis_service.start()
            until(lambda: clients.seen["good"][429] > 20)
        place.store.engine.dispose()
        assert served.process.poll() is None
    # what was asked when it died may have been counted, and answered with 503
    assert 3000 - clients.count <= clients.seen["good"][200] <= 3000
    assert set(clients.seen["revoked"]) == {401}
    said = (place.folder / "stderr").read_text()
    assert "Traceback" not in said
    assert good.secret not in said
