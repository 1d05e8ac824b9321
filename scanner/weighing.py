"""What matches are worth where they stand: a value of no known format goes by its file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from scanner.allow import compiled, lets_place
from scanner.classify import weigh
from scanner.match import Match
from scanner.score import Score
from vocabulary.finding import Confidence, Place

Locate = Mapping[str, Sequence[Place]]
"""Name of a text → the places where it stands, without line and column."""


def weighed(matches: Iterable[Match], located: Locate) -> Iterator[tuple[Match, Sequence[Place]]]:
    """Yield matches with their places; those of no known format only where they are likely.

    What a value is worth depends on the file in which it stands, which is known only now.
    """
    for match in matches:
        places = [
            place for place in _places(match, located.get(match.item, ())) if _applies(match, place)
        ]
        if not places:
            continue
        if match.candidate is None:
            yield match, places
            continue
        known, candidate = match.scores, match.candidate
        scores = {
            place.path: known.get(place.path) or weigh(candidate, place.path) for place in places
        }
        kept = [place for place in places if scores[place.path].confidence]
        if kept:
            best = max((scores[place.path] for place in kept), key=_seriousness)
            assert best.confidence is not None
            yield replace(match, confidence=best.confidence, reasons=best.reasons), kept


def _seriousness(score: Score) -> tuple[int, float]:
    """Order scores of one blob by what they show: its copy among tests takes nothing off it."""
    return (_LEVELS.index(score.confidence), score.probability)


_LEVELS = (None, Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


def scored(matches: Iterable[Match], located: Locate) -> Iterator[Match]:
    """Yield matches that know what they are worth wherever they stand."""
    for match in matches:
        if match.candidate is None or match.scores:
            yield match
            continue
        paths = {place.path for place in _places(match, located.get(match.item, ()))}
        yield replace(match, scores={path: weigh(match.candidate, path) for path in sorted(paths)})


def _applies(match: Match, place: Place) -> bool:
    """Say whether the rule looks at a place, and lets nothing pass there."""
    rule = match.rule
    if rule.path and not compiled(rule.path).search(place.path.encode("utf-8", "replace")):
        return False
    return not (rule.allow and lets_place(rule.allow, match.secret, place.path, place.commit))


def _places(match: Match, bases: Sequence[Place]) -> Iterable[Place]:
    for base in bases or (Place(path=match.item),):
        yield Place(
            path=base.path + match.inside,
            line=match.line,
            column=match.column,
            end_line=match.end_line,
            commit=base.commit,
            blob=base.blob,
            author=base.author,
            date=base.date,
        )
