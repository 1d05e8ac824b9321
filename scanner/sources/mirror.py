"""A copy of a remote repository in a cache of ours: cloned once, then only new objects come."""

import os
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from scanner.cache import private_folder
from scanner.sources import address as addresses
from scanner.sources.address import Address
from scanner.sources.gitrun import Repository, environment, output, said
from vocabulary.errors import RepositoryError, TargetError, UsageError

TIMEOUT_S = 900.0
_HEAD = re.compile(r"ref: (refs/heads/[^\s\x00-\x1f]+)\tHEAD\n")
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
    return copied(_allowed(address, local_roots), cache)


def copied(origin: Address, cache: Path, timeout_s: float | None = TIMEOUT_S) -> Path:
    """Bring every ref of a repository into the cache, and return the bare copy's directory.

    What the origin has since dropped stays in the copy: a secret that was pushed over is still one.

    Args:
        origin: where it is.
        cache: directory that holds the copies; made when it is missing.
        timeout_s: for each git; None to wait for a person's patience to end.

    Raises:
        RepositoryError: it cannot be fetched, says what git said; or the copy is not ours alone.
    """
    name = re.sub(r"[^\w.-]+", "-", origin.url.rstrip("/").split("/")[-1])[:60]
    copy = cache / f"{name}-{sha256(origin.url.encode()).hexdigest()[:16]}"
    copy.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not private_folder(copy.lstat()):
        raise RepositoryError(
            "others may write to this copy, and git would run what they put into its configuration",
            where=str(copy),
            remedy="remove it, and keep copies in a folder of your own",
        )
    if not (copy / "HEAD").exists():
        _begin(copy, origin, timeout_s)
    refs = "+refs/*:refs/*"
    fetch = ("fetch", "--quiet", "--prune", "--no-recurse-submodules", "--no-auto-gc")
    _git(copy, origin, timeout_s, *fetch, "--no-write-fetch-head", "--", origin.url, refs)
    return copy


def _begin(copy: Path, origin: Address, timeout_s: float | None) -> None:
    """Make an empty copy whose HEAD and kind of object ids are those of the origin."""
    told = _git(copy, origin, timeout_s, "ls-remote", "--symref", "--", origin.url, "HEAD").decode(
        "utf-8", "replace"
    )
    oid = told.rpartition("\n")[0].rpartition("\n")[2].partition("\t")[0]
    kind = ["--object-format=sha256"] if len(oid) == 64 else []  # noqa: PLR2004
    head = _HEAD.match(told)
    branch = head[1].removeprefix("refs/heads/") if head else ""
    named = [f"--initial-branch={branch}"] if branch else []
    _git(copy, origin, timeout_s, "init", "--bare", "--quiet", "--template=", *kind, *named, ".")


def holds(copy: Path, commit: str) -> bool:
    """Say whether a copy holds a commit: one that was pushed over long ago may be gone."""
    try:
        output(Repository(copy, None), "cat-file", "-e", f"{commit}^{{commit}}")
    except RepositoryError:
        return False
    return True


def _allowed(address: str, local_roots: Sequence[Path]) -> Address:
    """Read an address; what lies on this machine only below the listed folders."""
    with suppress(UsageError):
        origin = addresses.parsed(address)
        if origin.protocol != "file":
            return origin
        address = origin.url
    path = Path(address)
    real = path.resolve()
    if path.is_absolute() and any(real.is_relative_to(root.resolve()) for root in local_roots):
        return Address(str(real), "file")
    raise TargetError(
        "this address may not be read",
        where=addresses.shown(address)[:200],
        remedy="use https or ssh, or list the folder in repositories.local_roots",
    )


def _git(copy: Path, origin: Address, timeout_s: float | None, *arguments: str) -> bytes:
    settings = (
        "core.hooksPath=/dev/null",
        # what authorizes must not be carried to another host
        f"http.followRedirects={'false' if origin.authorization else 'initial'}",
        "gc.auto=0",
        "safe.directory=*",
    )
    words = ["git"]
    for setting in settings:
        words += ["-c", setting]
    try:
        done = subprocess.run(
            [*words, *arguments],
            cwd=copy,
            env=_environment(origin),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise TargetError("git is not installed", remedy="install git 2.30 or newer") from None
    except subprocess.TimeoutExpired as error:
        raise RepositoryError(
            f"fetching took longer than {timeout_s:.0f} s", where=origin.url[:200]
        ) from error
    if done.returncode:
        raise RepositoryError(
            f"git {arguments[0]} failed: {addresses.hidden(said(done.stderr))}",
            where=origin.url[:200],
        )
    return done.stdout


def _environment(origin: Address) -> dict[str, str]:
    """Return what git may know: how the user opens keys, and what the address itself gave."""
    kept = {name: os.environ[name] for name in _CREDENTIALS if name in os.environ}
    made = environment() | {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"} | kept
    made["GIT_ALLOW_PROTOCOL"] = origin.protocol
    if origin.authorization:
        host = "/".join(origin.url.split("/")[:3])
        made |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{host}/.extraHeader",
            "GIT_CONFIG_VALUE_0": origin.authorization,
        }
    return made
