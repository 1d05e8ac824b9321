"""Are the rules right? Every example is found, every counter-example is not, none costs much."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import hyperscan
import msgspec

from scanner.backtrack import ways
from scanner.batch import batch_of
from scanner.checksum import CHECKSUMS
from scanner.engine import Engine
from scanner.entropy import shannon
from scanner.generators import expand
from scanner.match import GENERIC, Match
from scanner.parsetree import spells
from scanner.placeholder import invented, template
from scanner.prefilter import UNBOUNDED, loosened, needles, width
from scanner.rules import Rule
from scanner.spelling import can_spell
from vocabulary.errors import ConfigError
from vocabulary.finding import Confidence

MIN_EXAMPLES, MIN_NEGATIVES = 3, 2
MIN_SOUGHT = 6
"""Characters that hyperscan looks for of a pattern without a literal: fewer are met everywhere."""
MAX_WAYS = 2_000_000
"""Ways to match at one place that a pattern may make `re` try."""
_REQUIRED = ("name", "description", "access", "revoke", "keywords", "references", "tags")


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a rule."""

    rule: str
    what: str


def examples(rule: Rule) -> list[str]:
    """Expand the rule's examples, the same on every run."""
    return [expand(text, f"{rule.id}:{number}") for number, text in enumerate(rule.examples)]


def negatives(rule: Rule) -> list[str]:
    """Expand the texts in which the rule must find nothing."""
    return [expand(text, f"{rule.id}:n{number}") for number, text in enumerate(rule.negatives)]


def problems(rules: Sequence[Rule], engine: Engine, *, complete: bool = True) -> Iterator[Problem]:
    """Yield what is wrong with `rules`.

    Args:
        rules: those to check.
        engine: scans with these rules and all that they run beside.
        complete: whether all that ours have must be there; else only what is there must be right.
    """
    for rule_id, count in Counter(rule.id for rule in rules).items():
        if count > 1:
            yield Problem(rule_id, f"the id is used {count} times")
    for rule in rules:
        stated = _stated(rule) if complete else ()
        for what in (*stated, *_named(rule), *_bounded(rule, engine), *_tried(rule, engine)):
            yield Problem(rule.id, what)


def _stated(rule: Rule) -> Iterator[str]:
    """Say what is missing."""
    if not rule.id.startswith(f"{rule.provider}-"):
        yield f"the id does not start with the provider `{rule.provider}`"
    for field in _REQUIRED:
        if not getattr(rule, field):
            yield f"{field} is missing"
    if len(rule.examples) < MIN_EXAMPLES:
        yield f"has {len(rule.examples)} examples, {MIN_EXAMPLES} are needed"
    if len(rule.negatives) < MIN_NEGATIVES:
        yield f"has {len(rule.negatives)} negatives, {MIN_NEGATIVES} are needed"


def _named(rule: Rule) -> Iterator[str]:
    """Say which words name nothing: keywords that no match can bring along, unknown checksums."""
    if any(word != word.lower() for word in rule.keywords):
        yield "keywords must be lower case"
    try:
        texts = "\0".join(examples(rule)).lower() if rule.examples else ""
    except ConfigError:
        return  # said where the examples are tried
    idle = [w for w in rule.keywords if w not in texts and not can_spell(rule.pattern, w)]
    if idle:
        yield f"keywords that neither the pattern nor an example holds: {', '.join(idle)}"
    if rule.checksum and rule.checksum not in CHECKSUMS:
        yield f"no checksum is called `{rule.checksum}`"


def _bounded(rule: Rule, engine: Engine) -> Iterator[str]:
    """Say where a pattern may run away, or cannot be looked for in a stream."""
    if width(rule.pattern)[1] >= UNBOUNDED:
        yield "the pattern matches without bound"
    elif (worst := ways(rule.pattern)) > MAX_WAYS:
        yield f"the pattern may be tried in {worst:.0e} ways at one place"
    least = min(width(needle)[0] for needle in needles(rule.pattern))
    if least < MIN_SOUGHT and not spells(rule.pattern):
        yield f"{least} characters of any kind are looked for first: begin it with what it spells"
    if engine.looks_for(rule):
        return
    try:
        hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK).compile(
            expressions=[loosened(rule.pattern).encode()], flags=hyperscan.HS_FLAG_MULTILINE
        )
    except hyperscan.HyperscanError as error:
        yield f"hyperscan does not compile the pattern: {error}"


def _tried(rule: Rule, engine: Engine) -> Iterator[str]:
    """Run examples and negatives through the engine."""
    searcher = engine.searcher()
    try:
        texts, refused = examples(rule), negatives(rule)
    except ConfigError as error:
        yield str(error)
        return
    for number, text in enumerate(texts, 1):
        found = searcher.search(batch_of(text.encode()))
        if not any(match.rule.id == rule.id and _is_shown(match) for match in found):
            yield f"example {number} is not found: {_why_not(rule, text, found)}"
    for number, text in enumerate(refused, 1):
        found = searcher.search(batch_of(text.encode()))
        if any(match.rule.id == rule.id and _is_shown(match) for match in found):
            yield f"negative {number} is found"


def _is_shown(match: Match) -> bool:
    """Say whether a match is one by default; some rules only ever state candidates."""
    guess = match.rule.provider in GENERIC or match.rule.confidence == Confidence.LOW
    return guess or match.confidence != Confidence.LOW


def _why_not(rule: Rule, text: str, found: Sequence[Match]) -> str:
    for match in found:
        if match.rule.id == rule.id:
            return "of low confidence, its checksum is " + match.checksum
    if found:
        return f"claimed by {', '.join(sorted({match.rule.id for match in found}))}"
    if not re.search(rule.pattern.encode(), text.encode(), re.MULTILINE):
        return "the pattern does not match"
    if not any(word in text.lower() for word in rule.keywords):
        return "no keyword stands near"
    return "turned away by entropy, context or as a placeholder"


def explained(rule: Rule, text: bytes, found: Sequence[Match]) -> Iterator[str]:
    """Say, for each place where the pattern alone matches, what became of it.

    Args:
        rule: the rule in question.
        text: what was scanned.
        found: all matches of the engine in it.
    """
    pattern = re.compile(rule.pattern.encode(), re.MULTILINE)
    group = "secret" if "secret" in pattern.groupindex else 0
    places = list(pattern.finditer(text))
    if not places:
        yield f"{rule.id}: the pattern matches nowhere"
    for place in places:
        start, end = place.span(group)
        line = text.count(b"\n", 0, start) + 1
        yield f"{rule.id}: line {line}: {_fate(rule, text[start:end], (start, end), found)}"


def _fate(rule: Rule, secret: bytes, span: tuple[int, int], found: Sequence[Match]) -> str:
    over = [m for m in found if not m.decoding and m.start < span[1] and m.end > span[0]]
    if any(match.rule.id == rule.id for match in over):
        return "found"
    if over:
        return f"claimed by {over[0].rule.id}, which is stronger"
    if rule.entropy and shannon(secret) < rule.entropy:
        return f"too even: {shannon(secret):.2f} bits a character, {rule.entropy} are needed"
    if template(secret):
        return "filled in elsewhere: a template"
    if why := invented(secret):
        return f"no real one: {why}"
    return "turned away: no keyword or context near, an inline mark, or too unlikely"
