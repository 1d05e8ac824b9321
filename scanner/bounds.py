"""How far a rule's matches reach, read off its pattern."""

from scanner.classify import WEIGHED
from scanner.confirm import REACH, Bounds
from scanner.parsetree import UNBOUNDED, width
from scanner.prefilter import reach as before
from scanner.rule import CONTEXT, Rule
from scanner.singleline import stays_within_line

_OPEN = 1 << 10  # bytes that a pattern which sets no bound itself may reach


def bounds_of(rule: Rule, *, exact: bool = True) -> Bounds:
    """Return how far the matches of a rule reach from where hyperscan sees them.

    Args:
        rule: the rule.
        exact: whether hyperscan looks for its pattern, not for its keywords.
    """
    greatest = width(rule.pattern)[1]
    reach = min(greatest + 2, REACH) if greatest < UNBOUNDED else _OPEN
    return Bounds(
        reach,
        min(before(rule.pattern) + 1, reach),
        lined=(rule.provider in WEIGHED or rule.provider == CONTEXT)
        and stays_within_line(rule.pattern),
        exact=exact,
    )
