"""Hook files: put in, taken out, and never over somebody else's.

Source: githooks(5). A hook is a shell script that starts the very Python with which keywatch was
installed; when that is gone the hook refuses, and says what to do.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from vocabulary.errors import TargetError, UsageError

_MARK = "# Written by `keywatch hook install`; `keywatch hook uninstall` takes it away."
_BEFORE = ".before-keywatch"
_WITH_LINES = ("pre-push", "pre-receive")

_HEAD = """#!/bin/sh
{mark}
python={python}
if [ ! -x "$python" ]; then
    echo "keywatch: $python is gone: install keywatch again, then: keywatch hook install" >&2
    exit 1
fi
"""
_PLAIN = """if [ -x "$0{before}" ]; then
    "$0{before}" "$@" || exit $?
fi
exec "$python" {command} "$@"
"""
_LINES = """refs=$(cat)
given() {{ [ -z "$refs" ] || printf '%s\\n' "$refs"; }}
if [ -x "$0{before}" ]; then
    given | "$0{before}" "$@" || exit $?
fi
given | "$python" {command} "$@"
"""


def script(kind: str, python: str, command: Sequence[str]) -> str:
    """Return the text of a hook.

    Args:
        kind: its name.
        python: the interpreter.
        command: what it is given, before the hook's own arguments.
    """
    body = _LINES if kind in _WITH_LINES else _PLAIN
    words = " ".join(map(quote, command))
    head = _HEAD.format(mark=_MARK, python=quote(python))
    return head + body.format(before=_BEFORE, command=words)


def folder_of(repository: Path) -> Path:
    """Return where git looks for the hooks of a repository.

    Raises:
        TargetError: there is no repository, or no git.
        UsageError: the hooks are shared with other repositories, by core.hooksPath.
    """
    hooks, common = (
        (repository / _git(repository, *asked)).resolve()
        for asked in (("--git-path", "hooks"), ("--git-common-dir",))
    )
    if not hooks.is_relative_to(common):
        raise UsageError(
            f"core.hooksPath sends git to {hooks}",
            where=str(repository),
            remedy="name that folder with --hooks if it is the one that is meant",
        )
    return hooks


def _git(repository: Path, *asked: str) -> str:
    try:
        # the user's own configuration counts here: it may say where hooks are
        done = subprocess.run(
            ["git", "-C", str(repository), "rev-parse", *asked],
            capture_output=True,
            check=False,
            env={name: value for name, value in os.environ.items() if name not in _NOT_OURS},
        )
    except FileNotFoundError:
        raise TargetError("git is not installed", remedy="install git 2.30 or newer") from None
    if done.returncode != 0:
        raise UsageError("this is no git repository", where=str(repository))
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


_NOT_OURS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")


def install(folder: Path, kind: str, text: str, *, chain: bool) -> Path:
    """Put a hook in.

    Args:
        folder: of the hooks.
        kind: the hook's name.
        text: of the hook.
        chain: keep a foreign hook, and run it first.

    Raises:
        UsageError: a foreign hook is there.
        TargetError: the folder cannot be written to.
    """
    file = folder / kind
    before = file.with_name(kind + _BEFORE)
    try:
        if _there(file) and not _is_ours(file):
            if not chain or _there(before):
                raise _foreign(file, before)
            file.rename(before)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{kind}.new")
        temporary.write_text(text, "utf-8", newline="\n")
        temporary.chmod(0o755)
        temporary.replace(file)
    except OSError as error:
        raise TargetError((error.strerror or "").lower(), where=str(file)) from None
    return file


def _foreign(file: Path, before: Path) -> UsageError:
    if _there(before):
        return UsageError("there are two hooks already", where=str(before), remedy="merge them")
    return UsageError(
        "there is a hook that is not keywatch's",
        where=str(file),
        remedy="--chain runs it first, then keywatch",
    )


def uninstall(folder: Path, kind: str) -> bool:
    """Take a hook out, and put back the one that it ran first; False where none of ours is.

    Raises:
        TargetError: the folder cannot be written to.
    """
    file = folder / kind
    before = file.with_name(kind + _BEFORE)
    if not (_there(file) and _is_ours(file)):
        return False
    try:
        file.unlink()
        if _there(before):
            before.rename(file)
    except OSError as error:
        raise TargetError((error.strerror or "").lower(), where=str(file)) from None
    return True


def _there(file: Path) -> bool:
    return file.is_symlink() or file.exists()


def _is_ours(file: Path) -> bool:
    if file.is_symlink() or not file.is_file():
        return False
    return _MARK.encode() in file.read_bytes().splitlines()[:5]
