"""What a rule lets pass, and what has to stand near a match: parts of a rule beside its pattern."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

TARGETS = ("secret", "match", "line")


class Allow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values that are none, or places where they are not looked for.

    Attributes:
        rules: ids, or shell patterns of them, that it holds for; none for those of its own file.
        target: what `patterns` are looked for in: the secret, the whole match or its lines.
        patterns: Python `re` syntax.
        words: lower-case substrings of the secret.
        paths: searched in the path; a place that none of them fits is still reported.
        commits: ids, whole or their first characters.
        every: whether all that is stated must fit, rather than any of it.
        reason: for people.
    """

    rules: tuple[str, ...] = ()
    target: str = "secret"
    patterns: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    every: bool = False
    reason: str = ""

    @property
    def placed(self) -> bool:
        """Whether it asks for a place, which is known only after a text was read."""
        return bool(self.paths or self.commits)


class Near(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must stand near the secret: half of a pair, or a word that says whose it is.

    Attributes:
        pattern: Python `re` syntax.
        rule: the id of a rule whose pattern is meant, in place of one.
        lines: how many lines away, at most.
    """

    pattern: str = ""
    rule: str = ""
    lines: int = 3


def problem(allow: Allow) -> str:
    """Say what is wrong with an entry; empty where nothing is."""
    if allow.target not in TARGETS:
        return f"target is `{allow.target}`, it is one of {', '.join(TARGETS)}"
    if not (allow.patterns or allow.words or allow.placed):
        return "an allow needs patterns, words, paths or commits"
    if allow.every and allow.placed and allow.patterns and allow.target != "secret":
        return "with `every` and a place, patterns are of the secret"
    if any(word != word.lower() for word in allow.words):
        return "words must be lower case"
    return ""


def lets_pass(allows: Sequence[Allow], secret: bytes, match: bytes, line: bytes) -> bool:
    """Say whether a text alone is enough for one of `allows`.

    Args:
        allows: of a rule.
        secret: the value.
        match: all that the pattern matched.
        line: the lines on which the secret stands.
    """
    texts = {"secret": secret, "match": match, "line": line}
    return any(
        not (allow.placed and allow.every) and _told(allow, secret, texts[allow.target])
        for allow in allows
    )


def _told(allow: Allow, secret: bytes, text: bytes) -> bool:
    said = [_any(allow.patterns, text)] if allow.patterns else []
    if allow.words:
        low = secret.lower()
        said.append(any(word.encode() in low for word in allow.words))
    return bool(said) and (all(said) if allow.every else any(said))


def lets_place(allows: Iterable[Allow], secret: bytes, path: str, commit: str) -> bool:
    """Say whether a place is one at which one of `allows` lets the secret pass."""
    return any(_placed(allow, secret, path, commit) for allow in allows if allow.placed)


def _placed(allow: Allow, secret: bytes, path: str, commit: str) -> bool:
    name = path.replace("\\", "/").encode("utf-8", "surrogateescape")
    said = [_any(allow.paths, name)] if allow.paths else []
    if allow.commits:
        said.append(bool(commit) and any(map(commit.startswith, allow.commits)))
    if not allow.every:
        return any(said)
    told = not (allow.patterns or allow.words) or _told(allow, secret, secret)
    return told and all(said)


def _any(patterns: Iterable[str], text: bytes) -> bool:
    return any(compiled(pattern).search(text) for pattern in patterns)


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[bytes]:
    """Return a pattern of a rule, ready to search bytes."""
    return re.compile(pattern.encode(), re.MULTILINE)
