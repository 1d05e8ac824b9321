"""The engine: a rule set compiled, and what its threads search with."""

import os
from threading import local

import msgspec

from scanner.batch import batch_of
from scanner.compiled import Compiled
from scanner.confirm import Confirmer, Memory
from scanner.hits import Spotter
from scanner.match import Match
from scanner.patterns import compiled
from scanner.rules import Rule, RuleSet
from scanner.searcher import Searcher


class Engine(msgspec.Struct, frozen=True):
    """A rule set ready to scan; shared by threads, each with a `Searcher` of its own.

    Attributes:
        inline_ignores: whether marks in the text are honoured.
    """

    ruleset: RuleSet
    patterns: Compiled
    confirmers: tuple[Confirmer, ...]
    inline_ignores: bool = True

    def searcher(self) -> Searcher:
        """Return what one thread scans with."""
        return Searcher(self.confirmers, Spotter(self.patterns), self.inline_ignores)

    def search(self, text: bytes, name: str = "") -> list[Match]:
        """Scan one text."""
        return self.searcher().search(batch_of(text, os.fsencode(name)))

    def looks_for(self, rule: Rule) -> bool:
        """Say whether hyperscan takes the pattern of a rule, not its keywords alone."""
        return any(rule is one.rule and one.bounds.exact for one in self.confirmers)


class OwnSearcher(local):
    """A searcher for each thread that asks: hyperscan refuses scratch space that is in use."""

    def __init__(self, engine: Engine) -> None:
        self.searcher = engine.searcher()


def engine_of(ruleset: RuleSet, *, inline_ignores: bool = True, cached: bool = True) -> Engine:
    """Compile a rule set, or take its compiled form from the cache."""
    memory: Memory = {}
    patterns = compiled(ruleset, cached=cached)
    confirmers = tuple(
        Confirmer(rule, memory, bounds)
        for rule, bounds in zip(ruleset.rules, patterns.bounds, strict=True)
    )
    return Engine(ruleset, patterns, confirmers, inline_ignores)
