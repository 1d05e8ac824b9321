"""What a caller may ask of a scan."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vocabulary.finding import Confidence

if TYPE_CHECKING:
    from scanner.ignorefile import Ignore
    from scanner.verify import Verifier

Progress = Callable[[int, int], None]
"""Told of texts done and texts in all, now and then, from any thread."""


class ScanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to scan; nothing of it is ever read from the target.

    Attributes:
        tree: the files of the working tree alone.
        staged: what the index adds to HEAD alone.
        since: what is not reachable from this revision.
        branch: what is reachable from this revision alone.
        objects: ids of the objects to scan, a line each, and nothing else; None for all.
        ignored: the files that git ignores as well.
        gitignore: of a directory that is no repository, leave out what its .gitignore files name.
        submodules: submodules as well, where a whole repository or its tree is scanned.
        diff: whether stdin is a diff, of which only what it adds is scanned; None to look.
        inline_ignores: honour marks like `keywatch:allow` on a secret's own line.
        allow_shallow: a clone whose history was cut off counts as whole.
        confidence: findings below it are counted, not returned.
        show_secrets: leave secrets readable in findings.
        rules: further rule files or directories.
        disabled: ids of rules to leave out.
        fingerprint_key: the operator's key for fingerprints; empty for the repository's own.
        peppers: pepper id → pepper, for look-ups in stores of imported keys.
        workers: threads, each with a git of its own; 0 for as many as there are cores.
        cache: leave out what earlier scans read and found empty, and leave what this one compiled
            and read to later ones. Without it compiled rules that are there are used all the same.
        stdin_name: what texts from stdin are called.
        baseline: fingerprints of findings that are known and not reported (scanner.baseline).
        verifier: asks providers about what is shown; None for asking nobody.
        ignores: findings that somebody answers for (scanner.ignorefile).
    """

    tree: bool = False
    staged: bool = False
    since: str = ""
    branch: str = ""
    objects: bytes | None = None
    ignored: bool = False
    gitignore: bool = False
    diff: bool | None = None
    submodules: bool = True
    inline_ignores: bool = True
    allow_shallow: bool = False
    confidence: Confidence = Confidence.MEDIUM
    show_secrets: bool = False
    rules: tuple[Path, ...] = ()
    disabled: tuple[str, ...] = ()
    fingerprint_key: bytes = b""
    peppers: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    workers: int = 0
    cache: bool = True
    stdin_name: str = "(stdin)"
    baseline: frozenset[str] = frozenset()
    ignores: "tuple[Ignore, ...]" = ()
    verifier: "Verifier | None" = None
