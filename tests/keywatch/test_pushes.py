"""A push to a repository, from the signed webhook to the revoked key, through a running watch."""

import hashlib
import hmac
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from database.transaction import open_database, reading
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch import metrics
from keywatch.demo.leak import repository_with_amended_leak
from keywatch.status import status

SECRET = "s3cret-of-the-hook"
ZERO = "0" * 40


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def until(look, what, patience_s=60):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


def git(folder, *words):
    return subprocess.run(
        ["git", *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


class Place:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.engine = open_database(f"sqlite:///{folder}/keywatch.db")
        self.store = KeyStore(self.engine)
        self.config = folder / "keywatch.toml"
        self.config.write_text(
            f'database = "sqlite:///{folder}/keywatch.db"\n'
            f'[actions]\nenabled = ["revoke"]\n'
            f'[repositories]\ngithub_secret = "{SECRET}"\nport = {self.port}\n'
            f'cache = "{folder}/cache"\nlocal_roots = ["{folder}"]\n'
        )

    def key(self):
        return self.store.create(KeyOrder(owner="shop"), actor="test")

    def push(self, repository, after, *, before=ZERO, delivery="d-1", secret=SECRET):
        body = json.dumps(
            {
                "ref": "refs/heads/main",
                "before": before,
                "after": after,
                "repository": {"clone_url": f"file://{repository}", "private": False},
            }
        ).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/webhooks/github",
            data=body,
            headers={
                "Content-Type": "application/json",
                "X-GitHub-Event": "push",
                "X-GitHub-Delivery": delivery,
                "X-Hub-Signature-256": f"sha256={signature}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code
        except OSError:
            return 0

    def pushed(self, *words, **more):
        """Push as soon as the webhook server listens."""
        return until(lambda: self.push(*words, **more), "the webhook server")


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    command = [sys.executable, "-m", "keywatch", "--config", str(place.config), "watch"]
    with (tmp_path / "watch.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield place
    process.terminate()
    assert process.wait(30) == 0, (tmp_path / "watch.log").read_text()
    place.engine.dispose()


def state(place, issued):
    return place.store.get(issued.key.id).state


def test_a_pushed_live_key_is_revoked_and_another_is_not(place):
    leaked, other = place.key(), place.key()
    repository = repository_with_amended_leak(place.folder / "shop", leaked.secret)
    (repository / "config.py").write_text(f'KEY = "{leaked.secret}"\n')
    git(repository, "add", "config.py")
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "Add")
    assert place.pushed(repository, git(repository, "rev-parse", "main")) == 202
    until(lambda: state(place, leaked) == "revoked", "the revocation")
    assert state(place, other) == "active"
    assert place.push(repository, git(repository, "rev-parse", "main")) == 200


def said_to(place, raw):
    with socket.create_connection(("127.0.0.1", place.port)) as connection:
        connection.sendall(raw)
        return connection.recv(12)


def test_a_forged_push_is_refused_counted_and_scans_nothing(place):
    leaked = place.key()
    repository = repository_with_amended_leak(place.folder / "shop", leaked.secret)
    assert place.pushed(repository, "a" * 40, secret="wrong") == 401
    assert place.push(repository, "a" * 40, secret="wrong") == 401
    large = b"POST /webhooks/github HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"
    assert said_to(place, large) == b"HTTP/1.1 413"
    assert said_to(place, b"no HTTP at all\r\n\r\n") == b"HTTP/1.1 400"
    counted = {"webhooks 400": 1, "webhooks 401": 2, "webhooks 413": 1}
    until(lambda: status(place.engine)["refused"] == counted, "the refusals to be counted")
    with reading(place.engine) as connection:
        told = metrics.text(connection, time.time())
    assert 'keywatch_intake_refused_total{door="webhooks",status="401"} 2' in told
    assert status(place.engine)["repositories"]["waiting"] == 0
    assert state(place, leaked) == "active"


def test_a_push_that_cannot_be_fetched_is_tried_again_and_stops_nothing(place):
    leaked = place.key()
    assert place.pushed(place.folder / "nowhere", "a" * 40) == 202
    until(lambda: "nowhere" in (place.folder / "watch.log").read_text(), "the failure to be told")
    repository = repository_with_amended_leak(place.folder / "shop", leaked.secret)
    (repository / "config.py").write_text(f'KEY = "{leaked.secret}"\n')
    git(repository, "add", "config.py")
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "Add")
    head = git(repository, "rev-parse", "main")
    assert place.push(repository, head, delivery="d-2") == 202
    until(lambda: state(place, leaked) == "revoked", "the revocation")
