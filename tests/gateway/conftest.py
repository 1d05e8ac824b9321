"""A key store in a real file, a gateway in a process of its own, a client that hides nothing."""

import http.client
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.cli import run
from tests.databases import open_empty

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


class Place:
    """A folder with a database, and what runs on it."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self.folder, self.database = folder, folder / "keys.db"
        self.log = folder / "access.log"
        self.url = f"sqlite:///{self.database}"
        (folder / "keywatch.toml").write_text(config)
        self.store = KeyStore(open_empty(self.url))

    def issue(self, **order):
        return self.store.create(KeyOrder(**order), actor="test")

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run the command line in another process."""
        command = [sys.executable, "-m", "keywatch", *map(str, arguments)]
        return subprocess.run(
            command, env=self.environ, cwd=self.folder, capture_output=True, text=True, check=False
        )

    def say(self, *arguments: str) -> Said:
        """Run the command line in this process, which is spared what another has to load."""
        out, err = io.StringIO(), io.StringIO()
        with (
            chdir(self.folder),
            mock.patch.dict(os.environ, self.environ),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = run([*map(str, arguments)])
        return Said(code, out.getvalue(), err.getvalue())

    @property
    def environ(self):
        return {**os.environ, "KEYWATCH_DATABASE": self.url}

    @contextmanager
    def serving(self, *more: str) -> Iterator["Served"]:
        """Run `keywatch serve` on a free port."""
        command = [sys.executable, "-m", "keywatch", "serve", "--port", "0"]
        with (self.folder / "stderr").open("w") as errors:
            process = subprocess.Popen(
                [*command, "--access-log", str(self.log), *more],
                env=self.environ,
                cwd=self.folder,
                text=True,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            try:
                line = process.stdout.readline()
                assert "http://" in line, (self.folder / "stderr").read_text()
                host, _, port = line.strip().rpartition("http://")[2].partition(":")
                yield Served(process, host, int(port))
            finally:
                process.terminate()
                process.wait(PATIENCE_S)
                process.stdout.close()


@dataclass(frozen=True)
class Served:
    """A running `keywatch serve`."""

    process: subprocess.Popen
    host: str
    port: int

    def get(self, secret=None, path="/", headers=None) -> Answer:
        sent = dict(headers or {})
        if secret is not None:
            sent["X-API-Key"] = secret
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path, headers=sent)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, told, response.read())
        finally:
            connection.close()


def refuses_forged(place: Place, front: "Served", forgeries: Sequence[dict[str, str]]) -> None:
    """Assert that headers of a proxy let nobody in, and reach nobody, when a client sends them."""
    issued = place.issue()
    for forged in forgeries:
        answer = front.get(headers=forged)
        code = json.loads(answer.body)["error"]["code"]
        assert (answer.status, code) == (401, "missing_api_key")
        answer = front.get(issued.secret, headers=forged)
        assert answer.status == 200
        assert not set(forged.values()) & set(json.loads(answer.body).values())


def until(condition: Callable[[], object], patience_s: float = PATIENCE_S):
    """Wait until the condition holds, and return what it gave."""
    end = time.monotonic() + patience_s
    while not (found := condition()):
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        time.sleep(0.002)
    return found


@pytest.fixture
def eventually():
    return until


@pytest.fixture
def make_place(tmp_path):
    """Return a maker of folders of their own; all are cleaned up."""
    made = []

    def make(config: str = "") -> Place:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Place(folder, config))
        return made[-1]

    yield make
    for place in made:
        place.store.engine.dispose()


@pytest.fixture
def place(make_place):
    return make_place()


@dataclass(frozen=True)
class Shelf:
    """A key store alone, for gateways in this process."""

    store: KeyStore

    def issue(self, **order):
        return self.store.create(KeyOrder(**order), actor="test")


@pytest.fixture
def shelf(database_url):
    """Return an empty key store, once on each kind of database."""
    engine = open_empty(database_url)
    yield Shelf(KeyStore(engine))
    engine.dispose()


CONFIG = """
[gateway]
query_keys = true
headers = ["X-Custom-Key"]
trusted_proxies = ["127.0.0.1/32"]
[keys.peppers]
old = "salt-and-pepper"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A place with one server for all tests of a module; each test takes keys of its own."""
    place = Place(tmp_path_factory.mktemp("running"), CONFIG)
    with place.serving() as served:
        yield place, served
    place.store.engine.dispose()
