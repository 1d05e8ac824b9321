import os
import subprocess

import pytest

from scanner.engine import engine_of
from scanner.rules import load_rules

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Repo:
    """A repository made on the spot, with a clock of its own."""

    def __init__(self, path):
        self.path = path
        self.now = 1_600_000_000

    def git(self, *words, stdin=None, check=True):
        self.now += 60
        when = f"{self.now} +0200"
        done = subprocess.run(
            ["git", *words],
            cwd=self.path,
            env={**os.environ, **IDENTITY, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when},
            input=stdin,
            capture_output=True,
            check=check,
            text=not isinstance(stdin, bytes),
        )
        return done.stdout.strip()

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit(self, name="file.txt", text="nothing\n", message="change"):
        self.write(name, text)
        self.git("add", "-f", name)
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path):
    made = Repo(tmp_path / "repo")
    made.path.mkdir()
    made.git("init", "-q", "-b", "main")
    made.commit("README", "hello\n", "begin")
    return made


@pytest.fixture(scope="session")
def engine():
    return engine_of(load_rules())
