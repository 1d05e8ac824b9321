"""Which of the matches of a text stand where they overlap."""

from collections.abc import Iterator

from msgspec.structs import replace

from scanner.match import Match


def settled(matches: list[Match]) -> list[Match]:
    """Let the strongest of overlapping matches stand, and all that one encoded run holds.

    Where another rule is surer of the same secret, the one that stands is as sure as that.
    """
    standing = [match for group in _apart(matches) for match in _strongest(group)]
    return sorted(standing, key=lambda match: match.strength, reverse=True)


def _apart(matches: list[Match]) -> Iterator[list[Match]]:
    """Yield groups that do not overlap: thousands of keys are not compared each with each."""
    order = sorted(range(len(matches)), key=lambda number: matches[number].start)
    group: list[int] = []
    end = 0
    for number in order:
        if group and matches[number].start >= end:
            yield [matches[member] for member in sorted(group)]
            group, end = [], 0
        group.append(number)
        end = max(end, matches[number].end)
    if group:
        yield [matches[member] for member in sorted(group)]


def _strongest(matches: list[Match]) -> list[Match]:
    taken: list[Match] = []
    for match in sorted(matches, key=lambda match: match.strength, reverse=True):
        over = next((n for n, other in enumerate(taken) if _excludes(other, match)), None)
        if over is None:
            taken.append(match)
        elif match.rank > taken[over].rank and _is_surer(match, taken[over]):
            taken[over] = replace(taken[over], confidence=match.confidence)
    return taken


def _is_surer(match: Match, taken: Match) -> bool:
    """Say whether a rule may be surer of the same secret; whose form is an id's stays an id."""
    return match.secret == taken.secret and taken.rule.provider != "identifier"


def _excludes(taken: Match, match: Match) -> bool:
    if taken.rule.placed and not match.rule.placed:
        return False  # it may turn out not to stand there
    if _of_a_run(match) and (taken.start, taken.end) == (match.start, match.end):
        return taken.secret == match.secret
    return match.end > taken.start and match.start < taken.end


_EXACT = frozenset({"percent", "escape", "html", "ansi", "pair", "table"})
"""What stands for single characters, or moves them: each match has a place of its own."""


def _of_a_run(match: Match) -> bool:
    """Say whether a match shares its place with all that an encoded run holds."""
    return not _EXACT.issuperset(match.decoding)
