"""A scan from its target to its findings and its receipt."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from scanner.options import Progress, ScanOptions
from scanner.receipt import Receipt
from scanner.sources import address, gitrun
from vocabulary.credential import Lookup
from vocabulary.errors import TargetError, UsageError
from vocabulary.finding import Confidence, Finding

if TYPE_CHECKING:
    from scanner.engine import Engine
    from scanner.rule import Rule
    from scanner.texts import Texts

# Each source is imported when it is chosen, and git asked what is staged before the engine is.
# ruff: noqa: PLC0415

_RANK = {Confidence.LOW: 0, Confidence.MEDIUM: 1, Confidence.HIGH: 2}
STDIN = "-"


class Report(msgspec.Struct, frozen=True):
    """What a scan found, and what it covered.

    Attributes:
        rules: those that found something, in the order of their ids.
        known: findings that the baseline hides.
    """

    findings: tuple[Finding, ...]
    receipt: Receipt
    rules: "tuple[Rule, ...]" = ()
    known: tuple[Finding, ...] = ()

    def __iter__(self) -> Iterator[Finding]:
        """Yield the findings, the worst first."""
        return iter(self.findings)

    def __len__(self) -> int:
        """Return the number of findings."""
        return len(self.findings)


def scan(
    target: str | Path,
    options: ScanOptions | None = None,
    lookup: Lookup | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.time,
    stdin: IO[bytes] | None = None,
) -> Report:
    """Scan a repository, a directory, a file, or `-` for stdin.

    Args:
        target: a path or the address of a remote repository; a repository is every object it
            holds and its uncommitted work.
        options: how to scan.
        lookup: asks the key store about the secrets found.
        progress: told how far the scan is.
        clock: epoch seconds, for the receipt.
        stdin: what `-` means; None for that of the process.

    Raises:
        UsageError: there is no such target, revision or option for this target.
        TargetError: nothing of the target can be read.
    """
    with ExitStack() as stack:
        return _scan(str(target), options or ScanOptions(), lookup, progress, clock, stdin, stack)


def _scan(
    target: str,
    asked: ScanOptions,
    lookup: Lookup | None,
    progress: Progress | None,
    clock: Callable[[], float],
    stdin: IO[bytes] | None,
    stack: ExitStack,
) -> Report:
    begun = clock()
    receipt = Receipt(target=address.shown(target))
    find = _source(target, asked, stdin, stack)
    from scanner.engine import engine_of
    from scanner.rules import load_rules

    engine = engine_of(
        load_rules(asked.rules, asked.disabled, cached=asked.cache),
        inline_ignores=asked.inline_ignores,
        cached=asked.cache,
    )
    if not engine.ruleset.rules:
        raise UsageError("there are no rules to scan with", remedy="enable some rules")
    texts = find(engine, receipt, progress or _silent)
    if receipt.empty and not (asked.staged or asked.since or asked.branch or asked.objects):
        receipt.warnings.append("there was nothing to scan")
    secrets: dict[str, str] | None = {} if asked.verifier else None
    found = _findings(texts, asked, lookup, receipt, secrets, engine)
    shown, known = _hidden(found, asked, receipt, begun)
    if asked.verifier and secrets:
        shown = asked.verifier.verified(shown, secrets, receipt)
    receipt.rules, receipt.rules_digest = len(engine.ruleset.rules), engine.ruleset.digest
    receipt.findings, receipt.began, receipt.seconds = len(shown), begun, max(0.0, clock() - begun)
    return Report(shown, receipt, _fired(engine, shown), known)


def _hidden(
    found: tuple[Finding, ...], options: ScanOptions, receipt: Receipt, now: float
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Take out what the baseline knows and what is ignored; returns what is shown, and known."""
    if not (options.baseline or options.ignores):
        return found, ()
    from scanner import hiding

    sorted_ = hiding.sort(found, options.baseline, options.ignores, hiding.day(now))
    hiding.tell(sorted_, options.baseline, receipt)
    return tuple(sorted_.shown), tuple(sorted_.known)


def _fired(engine: "Engine", findings: tuple[Finding, ...]) -> "tuple[Rule, ...]":
    """Return the rules that a report has to explain."""
    wanted = {finding.rule for finding in findings}
    fired = [rule for rule in engine.ruleset.rules if rule.id in wanted] if wanted else []
    return tuple(sorted(fired, key=lambda rule: rule.id))


def _silent(_done: int, _total: int) -> None:
    return


Source = Callable[["Engine", Receipt, Progress], "Texts"]


def _source(target: str, options: ScanOptions, stdin: IO[bytes] | None, stack: ExitStack) -> Source:
    """Choose where texts come from, before anything costly starts."""
    narrowed = [
        f"--{name}" for name in ("tree", "staged", "since", "branch") if getattr(options, name)
    ]
    if len(narrowed) > 1 and narrowed != ["--since", "--branch"]:
        raise UsageError(f"{' and '.join(narrowed)} exclude each other")
    if target == STDIN:
        from scanner import stdin as source

        return lambda e, r, p: source.texts(stdin or sys.stdin.buffer, options, e, r, p)
    path = _existing(_local(target, options, stack))
    if options.staged and (repository := gitrun.located(path)):
        return _staged(repository, options, stack)
    repository = gitrun.find(path) if path.is_dir() else None
    if repository is not None:
        return _within(repository, options, stack)
    if narrowed and narrowed != ["--tree"]:
        root = gitrun.enclosing(path)
        raise UsageError(
            f"{narrowed[0]} needs {'the root of ' if root else ''}a git repository",
            where=target,
            remedy=f"name {root}" if root else "",
        )
    if not narrowed and _may_be_image(path):
        from scanner import images

        if images.is_image(path):
            return lambda e, r, p: images.image_texts(path, e, r, p)
    if not narrowed and (root := gitrun.enclosing(path) if path.is_dir() else None):
        return _part_of(path, root, options)
    from scanner.filetexts import path_texts

    return lambda e, r, p: path_texts(path, options, e, r, p)


def _part_of(path: Path, root: Path, options: ScanOptions) -> Source:
    """Scan a folder of a worktree, and say that its history is not among that."""
    from scanner.filetexts import path_texts

    def read(engine: "Engine", receipt: Receipt, progress: Progress) -> "Texts":
        receipt.warnings.append(
            f"only files were scanned, no history: that is the repository's, {root} (--tree "
            "says that files are meant)"
        )
        return path_texts(path, options, engine, receipt, progress)

    return read


def _may_be_image(path: Path) -> bool:
    if path.is_dir():
        return (path / "oci-layout").is_file()
    try:
        with path.open("rb") as stream:
            return stream.read(_TAR)[_TAR - 5 :] == b"ustar"
    except OSError:
        return False  # said when it is scanned


_TAR = 262


def _staged(repository: gitrun.Repository, options: ScanOptions, stack: ExitStack) -> Source:
    from scanner.sources import revisions

    asked = revisions.Staged(repository)  # git works while the engine is loaded
    stack.callback(asked.close)

    def read(engine: "Engine", receipt: Receipt, progress: Progress) -> "Texts":
        from scanner.stagedtexts import staged_texts

        return staged_texts(repository, asked.changes(), options, engine, receipt, progress)

    return read


def _within(repository: gitrun.Repository, options: ScanOptions, stack: ExitStack) -> Source:
    if options.tree:
        return _tree(repository, options)
    if options.since or options.branch or options.objects is not None or not options.submodules:
        from scanner.gittexts import git_texts

        return lambda e, r, p: git_texts(repository, options, e, r, p)
    from scanner.sources.plan import Listing

    listing = Listing(repository)  # git lists the objects while the rules are loaded
    stack.callback(listing.close)

    def read(engine: "Engine", receipt: Receipt, progress: Progress) -> "Texts":
        from scanner.gittexts import git_texts
        from scanner.submodules import with_submodules

        def one(inner: gitrun.Repository, receipt: Receipt, progress: Progress) -> "Texts":
            begun = listing if inner is repository else None
            return git_texts(inner, options, engine, receipt, progress, begun)

        return with_submodules(repository, one, receipt, progress)

    return read


def _tree(repository: gitrun.Repository, options: ScanOptions) -> Source:
    from scanner.filetexts import tree_texts
    from scanner.submodules import with_submodules

    if not options.submodules:
        return lambda e, r, p: tree_texts(repository, options, e, r, p)
    return lambda e, r, p: with_submodules(
        repository, lambda one, r, p: tree_texts(one, options, e, r, p), r, p
    )


def _local(target: str, options: ScanOptions, stack: ExitStack) -> str:
    """Return a path: of a remote repository that of a copy, kept unless no cache is wanted."""
    if not address.is_remote(target) or os.path.exists(target):  # noqa: PTH110  (never raises)
        return target
    from scanner import cache
    from scanner.sources import mirror

    origin = address.parsed(target)
    folder = cache.cache_dir() if options.cache else None
    if folder is None:
        from tempfile import TemporaryDirectory

        folder = Path(stack.enter_context(TemporaryDirectory(prefix="keywatch-")))
    return str(mirror.copied(origin, folder / "mirrors", timeout_s=None))


def _existing(target: str) -> Path:
    path = Path(target)
    try:
        if path.is_dir() or path.is_file():
            return path
        exists = path.exists()
    except (OSError, ValueError):
        exists = False
    if exists:
        raise TargetError("neither a regular file nor a directory", where=target)
    raise UsageError("there is no such file or directory", where=target)


def _names(texts: "Texts") -> Iterator[str]:
    """Yield what the places of findings will be called."""
    for match in texts.matches:
        yield match.item + match.inside
    for places in texts.located.values():
        for place in places:
            yield place.path
            yield place.author


def _findings(
    texts: "Texts",
    options: ScanOptions,
    lookup: Lookup | None,
    receipt: Receipt,
    secrets: dict[str, str] | None,
    engine: "Engine",
) -> tuple[Finding, ...]:
    receipt.source = texts.source
    if not (texts.matches or receipt.incomplete):
        return ()
    from scanner.findings import findings
    from scanner.placenames import cleaner

    clean = cleaner(engine, [*_names(texts), *receipt.incomplete])
    receipt.incomplete = [clean(problem) for problem in receipt.incomplete]
    least = _RANK[options.confidence]
    found = findings(
        texts.matches,
        texts.located,
        source=texts.source,
        key=options.fingerprint_key or texts.salt(),
        lookup=lookup,
        peppers=options.peppers,
        show_secrets=options.show_secrets,
        secrets_of=secrets,
        clean=clean,
    )
    shown = tuple(finding for finding in found if _RANK[Confidence(finding.confidence)] >= least)
    receipt.below = len(found) - len(shown)
    return shown
