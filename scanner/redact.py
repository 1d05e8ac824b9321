"""Secrets out of log lines: one pass over a chunk, next to no cost where there is none."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

import msgspec

from scanner.batch import batch_of
from scanner.engine import Engine, engine_of
from scanner.findings import redacted
from scanner.match import GENERIC, Match
from scanner.rules import RuleSet, load_rules
from vocabulary.credential import Credential, Exposure, credential_of
from vocabulary.finding import Confidence


class Redactor:
    """Replaces every secret of a known format by the token of its credential.

    Rules that know no format are left out: in a log they would take ids and hashes for secrets.

    Args:
        ruleset: all rules.
        peppers: pepper id → pepper, for stores of imported keys.
    """

    def __init__(self, ruleset: RuleSet, peppers: Mapping[str, bytes] | None = None) -> None:
        self._engine = formats_engine(ruleset)
        self._peppers = peppers
        self._searcher = self._engine.searcher()

    @property
    def engine(self) -> Engine:
        """The engine, for whoever needs another searcher of it."""
        return self._engine

    def clean(self, lines: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[Exposure]]:
        """Replace secrets; a `vocabulary.credential.Cleaner`.

        Args:
            lines: without line feeds.

        Returns:
            The very same lines where none holds a secret.
        """
        found = self._searcher.search(batch_of(b"\n".join(lines)))
        matches = [match for match in found if not match.packed]
        if not matches:
            return lines, ()
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
        text = match.secret.decode("utf-8", "backslashreplace")
        return credential_of(text, peppers=self._peppers, redacted=redacted(match))


def formats_engine(ruleset: RuleSet | None = None) -> Engine:
    """Return an engine of the rules that know a format; marks in the text hide nothing from it."""
    return engine_of(_of_formats(ruleset or load_rules()), inline_ignores=False)


def _of_formats(ruleset: RuleSet) -> RuleSet:
    rules = tuple(
        rule
        for rule in ruleset.rules
        if rule.provider not in GENERIC and rule.confidence == Confidence.HIGH
    )
    return msgspec.structs.replace(ruleset, rules=rules, name="formats")


def _replaced(line: bytes, match: Match, begin: int, credential: Credential) -> bytes:
    """Put the token where the secret stands; an encoded secret goes with all that encodes it."""
    return line[: match.start - begin] + credential.token.encode() + line[match.end - begin :]
