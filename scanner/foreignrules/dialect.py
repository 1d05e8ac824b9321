r"""Patterns of Go's and Rust's `regexp` for Python's `re`, with a bound on all repetitions.

Sources: https://pkg.go.dev/regexp/syntax, https://docs.rs/regex/latest/regex/#syntax and
https://docs.python.org/3/library/re.html. What differs: flags in mid-pattern, comments (`x`) with
blanks that count for nothing in classes as well, names of groups, POSIX classes, `\z`, `\Q…\E`,
`\x{…}`. What has no counterpart is refused, so that nobody looks for something else in silence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scanner.backtrack import ways

MAX_WAYS = 2_000_000
"""Ways to match at one place that a pattern may make `re` try; the same as for our own rules."""
BOUNDS = (4096, 512, 128, 32)
"""What stands for "without bound"; the greatest under which a pattern cannot run away."""
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f", "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~",
    "punct": r"!-/:-@\[-`{-~", "space": r"\s", "upper": "A-Z", "word": r"\w", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_LETTERS = {
    "L": r"A-Za-z\x80-\xff", "Lu": "A-Z", "Ll": "a-z", "N": "0-9", "Nd": "0-9",
    "P": r"!-/:-@\[-`{-~",
}  # fmt: skip
_KEPT = frozenset("abBdDsSwWfnrtvA")
_GROUP = re.compile(
    r"\(\?(?:P?<(?P<name>[A-Za-z_]\w*)>|(?P<on>[imsxU]*)(?:-(?P<off>[imsxU]+))?(?P<end>[:)]))"
)
_REPEAT = re.compile(r"\*|\+|\{(\d+),\}")
_UNICODE = re.compile(r"[pP](?:\{(\^?\w+)\}|(\w))")
_HEX = re.compile(r"x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))")


class UntranslatableError(ValueError):
    """A pattern says something that `re` cannot say."""


@dataclass(slots=True)
class _Level:
    """One group that is open, with the flags that hold in it and what is to be closed."""

    flags: frozenset[str]
    scoped: str = ""
    outer: frozenset[str] = frozenset()


def translated(pattern: str, secret: int | str | None = None, bound: int = BOUNDS[0]) -> str:
    """Return the pattern for `re`, in which the group `secret` is the secret.

    Args:
        pattern: of Go or Rust.
        secret: number or name of the group that holds it; None: the first, if there is any.
        bound: how often what has no bound repeats at most.

    Raises:
        UntranslatableError: says what it is that `re` does not have.
    """
    return _Translation(pattern, secret, bound).made()


def bounded(pattern: str, secret: int | str | None = None) -> tuple[str, int]:
    """Translate a pattern so that it cannot run away.

    Returns:
        The pattern, and what stands in it for "without bound"; 0 if that was not needed.

    Raises:
        UntranslatableError: `re` cannot say it, or it may be tried in too many ways.
    """
    worst = 0.0
    for bound in BOUNDS:
        made = translated(pattern, secret, bound)
        try:
            re.compile(made.encode())
        except (re.error, OverflowError) as error:
            raise UntranslatableError(f"the pattern does not compile: {error}") from None
        worst = ways(made)
        if worst <= MAX_WAYS:
            return made, bound if made != translated(pattern, secret, bound - 1) else 0
    raise UntranslatableError(f"the pattern may be tried in {worst:.0e} ways at one place")


@dataclass(slots=True)
class _Translation:
    pattern: str
    secret: int | str | None
    bound: int
    at: int = 0
    groups: int = 0
    levels: list[_Level] = field(default_factory=lambda: [_Level(frozenset())])
    named: bool = False

    def made(self) -> str:
        done = "".join(self._pieces())
        if len(self.levels) > 1:
            raise UntranslatableError("a group is not closed")
        return done + self.levels[0].scoped

    def _pieces(self) -> Iterator[str]:
        while self.at < len(self.pattern):
            yield self._piece()

    def _piece(self) -> str:  # noqa: PLR0911  (one a kind of letter)
        letter, level = self.pattern[self.at], self.levels[-1]
        if letter == "(":
            return self._opened()
        if letter == ")":
            return self._closed()
        if letter == "[":
            return self._class()
        if letter == "\\":
            return self._escape(within=False)
        if repeat := _REPEAT.match(self.pattern, self.at):
            self.at = repeat.end()
            least = int(repeat[1]) if repeat[1] else int(letter == "+")
            return f"{{{least},{least + self.bound}}}"
        self.at += 1
        if letter == "|" and level.scoped:
            return f"{level.scoped}|{self._scope(level.outer, level.flags)}"
        if "x" in level.flags and letter.isspace():
            return ""
        if "x" in level.flags and letter == "#":
            end = self.pattern.find("\n", self.at)
            self.at = end + 1 if end >= 0 else len(self.pattern)
            return ""
        return letter

    def _opened(self) -> str:
        level = self.levels[-1]
        group = _GROUP.match(self.pattern, self.at)
        if group is None:
            if self.pattern.startswith("(?#", self.at):
                end = self.pattern.find(")", self.at)
                self.at = end + 1 if end >= 0 else len(self.pattern)
                return ""
            if self.pattern.startswith("(?", self.at):
                raise UntranslatableError(f"`{self.pattern[self.at : self.at + 4]}`")
            self.at += 1
            return self._captured("", level.flags)
        self.at = group.end()
        if group["name"]:
            return self._captured(group["name"], level.flags)
        flags = (level.flags | set(group["on"] or "")) - set(group["off"] or "")
        if "U" in flags:
            raise UntranslatableError("`(?U)`, which swaps greedy and lazy")
        if group["end"] == ":":
            self.levels.append(_Level(flags, outer=flags))
            return self._scope(level.flags, flags) or "(?:"
        return self._reset(level, flags)

    def _captured(self, name: str, flags: frozenset[str]) -> str:
        self.groups += 1
        self.levels.append(_Level(flags, outer=flags))
        wanted = self.secret if self.secret is not None else 1
        if not self.named and wanted in (self.groups, name):
            self.named = True
            return "(?P<secret>"
        return "(?:"

    def _reset(self, level: _Level, flags: frozenset[str]) -> str:
        """Begin a group in which other flags hold until the one around it ends."""
        closed = level.scoped
        opened = self._scope(level.outer, flags)
        level.flags, level.scoped = flags, ")" if opened else ""
        return closed + opened

    @staticmethod
    def _scope(before: frozenset[str], after: frozenset[str]) -> str:
        on, off = sorted(after - before - {"x", "m"}), sorted(before - after - {"x", "m"})
        if not (on or off):
            return ""
        return f"(?{''.join(on)}{'-' if off else ''}{''.join(off)}:"

    def _closed(self) -> str:
        if len(self.levels) == 1:
            raise UntranslatableError("a `)` too many")
        self.at += 1
        return self.levels.pop().scoped + ")"

    def _class(self) -> str:
        self.at += 1
        done = "["
        if self._take("^"):
            done += "^"
        if self._take("]"):
            done += r"\]"
        while not self._take("]"):
            if self.at >= len(self.pattern):
                raise UntranslatableError("a class is not closed")
            done += self._member()
        return done + "]"

    def _take(self, letter: str) -> bool:
        if self.pattern.startswith(letter, self.at):
            self.at += len(letter)
            return True
        return False

    def _member(self) -> str:
        letter = self.pattern[self.at]
        posix = re.compile(r"\[:(\^?)(\w+):\]").match(self.pattern, self.at)
        if posix:
            self.at = posix.end()
            if posix[1] or posix[2] not in _POSIX:
                raise UntranslatableError(f"`{posix[0]}`")
            return _POSIX[posix[2]]
        if self.pattern.startswith(("&&", "--", "~~"), self.at):
            raise UntranslatableError("classes that are joined or subtracted")
        if letter == "\\":
            return self._escape(within=True)
        self.at += 1
        if "x" in self.levels[-1].flags and letter.isspace():
            return ""
        return "\\[" if letter == "[" else letter

    def _escape(self, *, within: bool) -> str:
        self.at += 1
        rest = self.pattern[self.at :]
        if not rest:
            raise UntranslatableError("a `\\` at the end")
        if rest[0] == "Q":
            return self._quoted()
        if rest[0] in "pP":
            return self._unicode(within=within)
        if found := _HEX.match(rest):
            self.at += found.end()
            code = int(found[1] or found[2], 16)
            return f"\\x{code:02x}" if code < 256 else re.escape(chr(code))  # noqa: PLR2004
        self.at += 1
        if rest[0] == "z":
            return r"\Z"
        if rest[0] in _KEPT or not rest[0].isalnum():
            return f"\\{rest[0]}" if rest[0].isascii() else rest[0]
        raise UntranslatableError(f"`\\{rest[0]}`")

    def _quoted(self) -> str:
        end = self.pattern.find("\\E", self.at)
        text = self.pattern[self.at + 1 : end if end >= 0 else None]
        self.at = end + 2 if end >= 0 else len(self.pattern)
        return re.escape(text)

    def _unicode(self, *, within: bool) -> str:
        found = _UNICODE.match(self.pattern, self.at)
        name = (found[1] or found[2]) if found else ""
        if found is None or name not in _LETTERS or (within and found[0][0] == "P"):
            raise UntranslatableError(f"`\\{found[0] if found else 'p'}`")
        self.at = found.end()
        letters = _LETTERS[name]
        if within:
            return letters
        return f"[{'^' if found[0][0] == 'P' else ''}{letters}]"
