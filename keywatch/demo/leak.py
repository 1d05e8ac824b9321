"""A repository in which a live key was committed, then amended away."""

import os
import subprocess
from pathlib import Path

from vocabulary.errors import ServiceError

_ENVIRON = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Robin Careless",
    "GIT_AUTHOR_EMAIL": "robin@shop.example",
    "GIT_COMMITTER_NAME": "Robin Careless",
    "GIT_COMMITTER_EMAIL": "robin@shop.example",
}


def repository_with_amended_leak(folder: Path, secret: str) -> Path:
    """Make a repository whose only trace of `secret` is a commit that no branch holds any more.

    Raises:
        ServiceError: when git is missing or fails.
    """
    folder.mkdir()
    settings = folder / "settings.py"
    _git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "README.md").write_text("# shop\n")
    _git(folder, "add", "README.md")
    _git(folder, "commit", "--quiet", "--message", "Begin")
    settings.write_text(f'DEBUG = False\nPAYMENTS_KEY = "{secret}"\n')
    _git(folder, "add", "settings.py")
    _git(folder, "commit", "--quiet", "--message", "Configure payments")
    settings.write_text('import os\n\nDEBUG = False\nPAYMENTS_KEY = os.environ["PAYMENTS_KEY"]\n')
    _git(folder, "commit", "--quiet", "--all", "--amend", "--message", "Configure payments")
    return folder


def _git(folder: Path, *words: str) -> None:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | _ENVIRON
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, env=environ, capture_output=True, check=False
        )
    except OSError as error:
        raise ServiceError("git is missing", remedy="install git") from error
    if done.returncode:
        raise ServiceError(f"git {words[0]}: {done.stderr.decode(errors='replace').strip()}")
