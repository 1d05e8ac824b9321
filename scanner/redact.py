"""Secrets out of log lines: one pass over a chunk, next to no cost where there is none."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate

import msgspec
from msgspec.structs import replace

from scanner.batch import batch_of
from scanner.context import RULES, plain
from scanner.engine import Engine, OwnSearcher, engine_of
from scanner.findings import redacted
from scanner.lazy import lazy
from scanner.match import GENERIC, Match
from scanner.rule import CONTEXT
from scanner.rules import RuleSet, load_rules
from vocabulary.credential import STAND_IN, Credential, Exposure, credential_of
from vocabulary.finding import Confidence

_WORD = b"credential:"
_TOKEN = lazy(rf"{STAND_IN}(?![0-9a-f])".encode())
_TOKEN_BYTES = len(_WORD) + 16
_AGAIN = 8  # times at most that a line is looked at once more
_PROVEN = frozenset({"jwt"})
"""Providers whose rules are unsure whether a secret matters, not whether it is one."""


class Redactor:
    """Replaces every secret of a known format, or in a telling place, by its credential's token.

    Rules that weigh values are left out: in a log they would take ids and hashes for secrets.

    Args:
        ruleset: all rules.
        peppers: pepper id → pepper, for stores of imported keys.
    """

    def __init__(self, ruleset: RuleSet, peppers: Mapping[str, bytes] | None = None) -> None:
        self._engine = formats_engine(ruleset)
        self._peppers = peppers
        self._own = OwnSearcher(self._engine)

    @property
    def engine(self) -> Engine:
        """The engine, for whoever needs another searcher of it."""
        return self._engine

    def clean(self, lines: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[Exposure]]:
        """Replace secrets; a `vocabulary.credential.Cleaner`. Threads may call it at once.

        Args:
            lines: without line feeds.

        Returns:
            The very same lines where none holds a secret.
        """
        cleaned, exposures = self._once(lines)
        changed = sorted({exposure.line for exposure in exposures})
        # What was hidden behind another secret shows once that is gone; few lines hold any.
        for _ in range(_AGAIN if changed else 0):
            again, more = self._once([cleaned[number] for number in changed])
            if not more:
                break
            cleaned = _with(cleaned, changed, again)
            exposures += [replace(one, line=changed[one.line]) for one in more]
        return cleaned, exposures or ()

    def _once(self, lines: Sequence[bytes]) -> tuple[Sequence[bytes], list[Exposure]]:
        text = b"\n".join(lines)
        found = self._own.searcher.search(batch_of(text))
        matches = [match for match in found if not (match.packed or _is_token(text, match))]
        if not matches:
            return lines, []
        starts = [0, *accumulate(len(line) + 1 for line in lines)]
        cleaned, exposures = list(lines), []
        # From the end, so that what is replaced moves nothing that is still to be replaced.
        for match in sorted(matches, key=lambda match: match.start, reverse=True):
            number = bisect_right(starts, match.start) - 1
            credential = self._credential(match)
            cleaned[number] = _replaced(cleaned[number], match, starts[number], credential)
            exposures.append(Exposure(number, match.rule.id, credential))
        return cleaned, exposures[::-1]

    def _credential(self, match: Match) -> Credential:
        placed = match.rule.provider in (CONTEXT, "http")
        secret = plain(match.rule.id, match.secret) if placed else match.secret
        text = secret.decode("utf-8", "backslashreplace")
        return credential_of(text, peppers=self._peppers, redacted=redacted(match))


def formats_engine(ruleset: RuleSet | None = None) -> Engine:
    """Return an engine for logs; marks in the text hide nothing from it."""
    return engine_of(_for_logs(ruleset or load_rules()), inline_ignores=False)


def _for_logs(ruleset: RuleSet) -> RuleSet:
    rules = tuple(
        rule
        for rule in ruleset.rules
        if rule.provider not in GENERIC
        and (rule.confidence == Confidence.HIGH or rule.provider in _PROVEN)
    )
    stated = repr((ruleset.sought or ruleset.digest, [rule.sought for rule in RULES], _PROVEN))
    return msgspec.structs.replace(
        ruleset,
        rules=(*rules, *RULES),
        name="formats",
        sought=blake2b(stated.encode(), digest_size=16).hexdigest(),
    )


def _is_token(text: bytes, match: Match) -> bool:
    """Say whether a secret was replaced here before, so that its token stands for it."""
    low = max(0, match.start - _TOKEN_BYTES)
    return any(
        low + token.end() > match.start
        for token in _TOKEN.finditer(text[low : match.start + _TOKEN_BYTES + len(_WORD)])
        if low + token.start() <= match.start + len(_WORD)
    )


def _with(lines: Sequence[bytes], numbers: Sequence[int], new: Sequence[bytes]) -> list[bytes]:
    """Return lines with others in the place of some."""
    put = dict(zip(numbers, new, strict=True))
    return [put.get(number, line) for number, line in enumerate(lines)]


def _replaced(line: bytes, match: Match, begin: int, credential: Credential) -> bytes:
    """Put the token where the secret stands; an encoded secret goes with all that encodes it."""
    return line[: match.start - begin] + credential.token.encode() + line[match.end - begin :]
