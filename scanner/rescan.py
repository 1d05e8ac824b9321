"""A repository that was scanned before: what has to be read, and where its hits stood.

What held nothing is not read again (scanner.seen); of what held something it is known where
(scanner.kept). Under which paths objects stand was told by a walk over all commits; only those that
are new since then have to be walked over.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from scanner.attribute import History, Walk
from scanner.engine import Engine
from scanner.held import Held
from scanner.kept import held, restored
from scanner.match import Match
from scanner.receipt import Receipt
from scanner.rules import Rule
from scanner.seen import Seen, seen_of
from scanner.sources.gitrun import Repository
from scanner.sources.ids import lacking
from scanner.sources.plan import Plan


class _Known(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a scan: where hits stood, how many trees there were, and what was found."""

    history: History
    trees: int
    held: Held


class Rescan(msgspec.Struct):
    """What is to be done of a full scan.

    Attributes:
        names: ids of the objects that have to be read.
        commits: ids of the commits that have to be walked over, a line each.
        held: what is known of objects that hold something and need no scanning.
    """

    plan: Plan
    names: Sequence[bytes]
    commits: bytes
    _seen: Seen | None = None
    _known: History = msgspec.field(default_factory=lambda: History({}, {}))
    held: Held = msgspec.field(default_factory=Held)
    _unchanged: bool = False

    def restore(self, repository: Repository, rules: Sequence[Rule]) -> list[Match]:
        """Return the matches in what is held; what cannot be had that way is to be scanned."""
        if not self.held.objects:
            return []
        wanted = {name.encode() for name in self.held.objects}
        names = [name for name in self.plan.names if name in wanted]
        matches, left = restored(repository, self.held, names, rules)
        self.names = [*self.names, *left]
        return matches

    @property
    def seen(self) -> int:
        """How many objects need no reading."""
        return len(self.plan.names) - len(self.names)

    @property
    def clean(self) -> Callable[[bytes], bool] | None:
        """What is known to hold nothing: what differs from it need not be read whole."""
        return self._seen.__contains__ if self._seen is not None and self.seen else None

    def history(self, walk: Walk | None, hit: set[bytes]) -> History:
        """Join what a walk over new commits tells with what was known.

        Args:
            walk: over `commits`; None where there are none.
            hit: ids of what was found to hold something.
        """
        if self._unchanged:
            return self._known.of(hit)
        left = lacking(self.plan.names)
        told = walk.history(hit, left) if walk else History({}, {})
        told.add(self._known, hit)
        gone = left(name.encode() for name in told.missing)
        told.missing = tuple(name for name in told.missing if name.encode() in gone)
        return told

    def keep(
        self,
        repository: Repository,
        matches: Iterable[Match],
        doubtful: set[str],
        history: History,
    ) -> None:
        """Remember what was read whole: that it held nothing, or what it held."""
        if self._seen is None or history.problem:
            return
        read = {name.decode() for name in self.names if name.decode() in self.held.objects}
        kept = self.held.without(read)
        again = {name.encode() for name in (*kept.objects, *doubtful)}
        new = []
        for match in matches:
            again.add(match.item.encode())
            if match.item not in kept.objects:
                new.append(match)
        if self._unchanged and not read and again.issuperset(self.names):
            return  # all of this is kept
        try:
            told = kept.joined(held(repository, new, doubtful))
            known = _Known(history, self.plan.counts["tree"], told)
            places = msgspec.msgpack.encode(known)
        except UnicodeEncodeError:  # a path that is no UTF-8: such a repository is read anew
            return
        self._seen.keep(
            [name for name in self.names if name not in again],
            places=places,
            listing=self.plan.digest,
            again=sorted(again),
        )


def earlier(repository: Repository, engine: Engine) -> Seen | None:
    """Return what earlier scans of all of a repository saw, with the same rules."""
    digest, inline = engine.ruleset.digest, engine.inline_ignores
    return seen_of(repository.packs, digest, inline_ignores=inline)


def rescan(plan: Plan, seen: Seen | None) -> Rescan:
    """Say what of a repository has to be read.

    Args:
        plan: all that it holds.
        seen: by earlier scans; None where they are not asked.
    """
    if seen is None:
        return Rescan(plan, plan.names, plan.commits())
    try:
        known = msgspec.msgpack.decode(seen.places, type=_Known) if seen.places else None
    except msgspec.MsgspecError:
        known = None
    if known is None:
        return Rescan(plan, plan.names, plan.commits(), seen)
    names = seen.again(plan.digest)
    if names is not None:
        same = Rescan(plan, names, b"", seen, known.history, _unchanged=True)
        return _without_held(same, known)
    names = seen.unseen(plan.names)
    if plan.counts["tree"] < known.trees or seen.gone(plan.names):
        # something is not there any more: whether commits still name it, all of them tell
        return _without_held(Rescan(plan, names, plan.commits(), seen), known)
    walked = (name for name in plan.commits().split() if name not in seen)
    commits = b"".join(
        name + b"\n" for name in walked if name.decode() not in known.history.commits
    )
    return _without_held(Rescan(plan, names, commits, seen, known.history), known)


def _without_held(rescan: Rescan, known: _Known) -> Rescan:
    """Take out of what has to be read that of which all is known."""
    there = {name.decode() for name in rescan.names}
    rescan.held = known.held.without(known.held.objects.keys() - there)
    rescan.names = [name for name in rescan.names if name.decode() not in rescan.held.objects]
    return rescan


def counted(rescan: Rescan, receipt: Receipt) -> None:
    """Count what an earlier scan read among what was scanned."""
    receipt.seen = rescan.seen
    if rescan.seen and receipt.read[0] == len(rescan.names):
        receipt.read[0] += rescan.seen
        receipt.read[1] = sum(size for kind, (_, size) in receipt.listed.items() if kind != "tree")
