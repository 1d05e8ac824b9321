"""A copy of a remote repository in a cache of ours: cloned once, then only new objects come."""

import os
import re
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from scanner.sources.gitrun import Repository, environment, output, said
from vocabulary.errors import RepositoryError, TargetError

TIMEOUT_S = 900.0
_URL = re.compile(r"(?P<scheme>https|ssh|file)://[^\s\x00-\x1f]+")
_SCP = re.compile(r"[\w.-]+@[\w.-]+:[^\s:][^\s\x00-\x1f]*")
_CREDENTIALS = ("SSH_AUTH_SOCK", "GIT_ASKPASS", "GIT_SSH_COMMAND", "HTTPS_PROXY", "https_proxy")


def mirror(address: str, cache: Path, local_roots: Sequence[Path] = ()) -> Path:
    """Bring every ref of a repository into the cache, and return the bare copy's directory.

    Nothing is checked out and no hook runs. Only https and ssh are spoken; repositories on this
    machine are read where the operator says that they may be.

    Args:
        address: an https or ssh URL, or a path below one of `local_roots`.
        cache: directory that holds the copies; made when it is missing.
        local_roots: directories whose repositories may be named by path or file URL.

    Raises:
        TargetError: the address is none that may be read.
        RepositoryError: it cannot be fetched; says what git said.
    """
    origin, protocol = _origin(address, local_roots)
    name = re.sub(r"[^\w.-]+", "-", address.rstrip("/").split("/")[-1])[:60]
    copy = cache / f"{name}-{sha256(origin.encode()).hexdigest()[:16]}"
    if not (copy / "HEAD").exists():
        copy.mkdir(parents=True, exist_ok=True, mode=0o700)
        _git(copy, protocol, "init", "--bare", "--quiet", "--template=", ".")
    refs = "+refs/*:refs/*"
    fetch = ("fetch", "--quiet", "--prune", "--no-recurse-submodules", "--no-auto-gc")
    _git(copy, protocol, *fetch, "--no-write-fetch-head", "--", origin, refs)
    return copy


def holds(copy: Path, commit: str) -> bool:
    """Say whether a copy holds a commit: one that was pushed over long ago may be gone."""
    try:
        output(Repository(copy, None), "cat-file", "-e", f"{commit}^{{commit}}")
    except RepositoryError:
        return False
    return True


def _origin(address: str, local_roots: Sequence[Path]) -> tuple[str, str]:
    if found := _URL.fullmatch(address):
        if found["scheme"] != "file":
            return address, found["scheme"]
        address = address.removeprefix("file://")
    elif _SCP.fullmatch(address):
        return address, "ssh"
    path = Path(address)
    real = path.resolve()
    if path.is_absolute() and any(real.is_relative_to(root.resolve()) for root in local_roots):
        return str(real), "file"
    raise TargetError(
        "this address may not be read",
        where=address[:200],
        remedy="use https or ssh, or list the folder in repositories.local_roots",
    )


def _git(copy: Path, protocol: str, *arguments: str) -> None:
    settings = (
        "core.hooksPath=/dev/null",
        "http.followRedirects=initial",
        "gc.auto=0",
        "safe.directory=*",
    )
    words = ["git"]
    for setting in settings:
        words += ["-c", setting]
    kept = {name: os.environ[name] for name in _CREDENTIALS if name in os.environ}
    try:
        done = subprocess.run(
            [*words, *arguments],
            cwd=copy,
            env=environment() | kept | {"GIT_ALLOW_PROTOCOL": protocol},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise TargetError("git is not installed", remedy="install git 2.30 or newer") from None
    except subprocess.TimeoutExpired as error:
        raise RepositoryError(
            f"fetching took longer than {TIMEOUT_S:.0f} s", where=arguments[-2][:200]
        ) from error
    if done.returncode:
        raise RepositoryError(f"git {arguments[0]} failed: {said(done.stderr)}", where=str(copy))
