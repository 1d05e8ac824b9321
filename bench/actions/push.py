"""From a push's webhook to the revocation of the key that it leaked: percentiles.

    python bench/actions/push.py [--pushes 60] [--files 2000] [--database URL]

Starts `keywatch watch` with its webhook server, and a repository of so many files. Each push brings
a commit with a key of the key store in clear; the time runs from just before the signed webhook is
sent until the key store says `revoked`, which is asked every two milliseconds. Fetching is from a
folder of this machine: what a forge takes to answer a fetch comes on top.
"""

import argparse
import hashlib
import hmac
import http.client
import json
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
from live import unbraked

from database.transaction import open_database
from keystore.issue import KeyOrder
from keystore.store import KeyStore

SECRET = secrets.token_hex(16)
CONFIG = """
database = "{database}"
[actions]
enabled = ["revoke"]
policy = "{folder}/policy.toml"
[repositories]
github_secret = "{secret}"
port = {port}
cache = "{folder}/cache"
local_roots = ["{folder}"]
"""
PATIENCE_S = 60.0
STEP_S = 0.002
WHO = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it says."""
    done = subprocess.run(["git", *WHO, *words], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()


def committed(repository: Path, name: str, text: str) -> tuple[str, str]:
    """Commit a file; return the heads before and after."""
    before = git(repository, "rev-parse", "main")
    (repository / name).write_text(text)
    git(repository, "add", name)
    git(repository, "commit", "-qm", f"Add {name}")
    return before, git(repository, "rev-parse", "main")


def prepared(folder: Path, files: int) -> Path:
    """Make a repository of ordinary files."""
    repository = folder / "shop"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    for number in range(files):
        part = repository / f"part{number % 40}"
        part.mkdir(exist_ok=True)
        body = "\n".join(f"def f{number}_{n}(order):\n    return order + {n}" for n in range(40))
        (part / f"m{number}.py").write_text(body)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "Begin")
    return repository


def waited(holds: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds."""
    end = time.perf_counter() + PATIENCE_S
    while not holds():
        if time.perf_counter() > end:
            sys.exit(f"waited in vain for {what}")
        time.sleep(STEP_S)


class Place:
    """A repository whose pushes are told to a watch.

    Args:
        port: of the webhook server.
        repository: what is pushed to.
        store: of the keys that are leaked.
    """

    def __init__(self, port: int, repository: Path, store: KeyStore) -> None:
        self.port, self.repository, self.store = port, repository, store

    def leak(self, number: int) -> float:
        """Commit a key and push it; return the seconds from the webhook to its revocation."""
        issued = self.store.create(KeyOrder(), actor="bench")
        text = f'KEY = "{issued.secret}"\n'
        before, after = committed(self.repository, f"settings{number}.py", text)
        began = [0.0]

        def taken() -> bool:
            began[0] = time.perf_counter()
            return self.push(before, after) == http.client.ACCEPTED

        waited(taken, "the webhook server")
        waited(lambda: self.store.get(issued.key.id).state == "revoked", "the revocation")
        return time.perf_counter() - began[0]

    def push(self, before: str, after: str) -> int:
        """Send a signed webhook; return the status, 0 when nobody answers."""
        told = {
            "ref": "refs/heads/main",
            "before": before,
            "after": after,
            "repository": {"clone_url": f"file://{self.repository}", "private": False},
        }
        body = json.dumps(told).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": after,
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/webhooks/github", body, headers)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()


def measure(arguments: argparse.Namespace, folder: Path) -> np.ndarray:
    """Return the seconds that each push took."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = arguments.database or f"sqlite:///{folder}/keywatch.db"
    (folder / "policy.toml").write_text(unbraked("leak"))
    config = folder / "keywatch.toml"
    config.write_text(CONFIG.format(database=url, folder=folder, secret=SECRET, port=port))
    repository = prepared(folder, arguments.files)
    engine = open_database(url)
    store = KeyStore(engine)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    watch = subprocess.Popen(
        [sys.executable, "-m", "keywatch", "--config", str(config), "watch"], **quiet
    )
    place = Place(port, repository, store)
    try:
        place.leak(-1)  # it clones the repository, and does not count
        took = [place.leak(number) for number in range(arguments.pushes)]
    finally:
        watch.terminate()
        watch.wait()
        engine.dispose()
    return np.array(took)


def main() -> None:
    """Measure and print the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pushes", type=int, default=60)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--database", help="URL; a new SQLite file by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ms = 1000 * measure(arguments, Path(folder))
    p50, p90, p99 = np.percentile(ms, [50, 90, 99])
    print(f"{len(ms)} pushes to a repository of {arguments.files} files: webhook to revoked key")
    print(f"p50 {p50:.0f} ms, p90 {p90:.0f} ms, p99 {p99:.0f} ms, longest {ms.max():.0f} ms")


if __name__ == "__main__":
    main()
