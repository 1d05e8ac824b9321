"""Rules of the user's beside those that are shipped, without compiling those again.

The database of the shipped rules stays as it is. What the user leaves out or replaces loses its
number in it, so that its hits are dropped; what is added, or stands in the place of a shipped rule,
has a small database of its own.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from scanner.compiled import LEFT_OUT, SILENT, Stored, renamed
from scanner.compiling import compiled_with, triggers
from scanner.parsetree import parsed
from scanner.rules import Rule


def shares(rules: Sequence[Rule], shipped: Sequence[Rule]) -> bool:
    """Say whether so many of the shipped rules are left that their database is worth its time."""
    return 2 * len(set(_places(rules, shipped)) - {LEFT_OUT}) >= len(shipped)


def composed(rules: Sequence[Rule], shipped: Sequence[Rule], stored: Stored) -> Stored:
    """Compile rules; what is found with them is what `stored_of` would find.

    Args:
        rules: of the user's scan.
        shipped: rules of which many are among those.
        stored: the shipped rules, compiled.
    """
    numbers = _places(rules, shipped)
    taken = set(numbers)
    own = [number for number in range(len(rules)) if number not in taken]
    wanted, there = triggers(rules), triggers(shipped)
    parsed.cache_clear()  # a scan needs few of the trees
    announced = bytes(kind if (at, kind) in wanted else SILENT for at, kind in there)
    more = [trigger for trigger in wanted if trigger not in there]
    kept = [
        replace(part.numbered(numbers), triggers=announced if part.triggers else b"")
        for part in stored.parts
    ]
    added = compiled_with([rules[number] for number in own], more)
    reaches = dict(zip((*numbers, *own), (*stored.bounds, *added.bounds), strict=True))
    everywhere = (*renamed(stored.everywhere, numbers), *renamed(added.everywhere, own))
    return Stored(
        (*kept, *(part.numbered(own) for part in added.parts)),
        tuple(reaches[number] for number in range(len(rules))),
        everywhere,
    )


def _places(rules: Sequence[Rule], shipped: Sequence[Rule]) -> list[int]:
    """Return the number among `rules` of each shipped rule that is looked for as it is shipped."""
    places = {rule.id: number for number, rule in enumerate(rules)}
    found = (places.get(rule.id, LEFT_OUT) for rule in shipped)
    return [
        at if at != LEFT_OUT and rules[at].sought == rule.sought else LEFT_OUT
        for at, rule in zip(found, shipped, strict=True)
    ]
