"""How likely a value that is assigned to a promising name is a secret: a score by hand.

Provider rules know their format; here only the name, the value and its surroundings speak.
"""

import re
from dataclasses import dataclass

from scanner.entropy import shannon
from scanner.placeholder import example_word, invented, template
from vocabulary.finding import Confidence

MEDIUM, LOW = 3.0, 1.0
"""Scores from which a candidate is shown by default, and from which it is shown at all."""

_STRONG_NAME = re.compile(
    r"passw(?:or)?d|passwd|\bpwd|passphrase|secret|private[_.-]?key|api[_.-]?key|apikey|access[_.-]?key"
    r"|auth[_.-]?token|access[_.-]?token|client[_.-]?secret|credential|encryption[_.-]?key|signing[_.-]?key",
    re.IGNORECASE,
)
_WEAK_NAME = re.compile(
    r"(?:key|token|secret|password)[_-]?(?:id|name|type|file|path|dir|url|uri|len|length|size|count|field"
    r"|policy|hash|regex|pattern|prefix|label|hint|reset|form|input|column|param|version|format|expir\w*"
    r"|bucket|arn|store|ring|code|event|class)s?$|public[_.-]?key|fingerprint|checksum|sha\d+|digest"
    r"|\bkeyword|csrf|xsrf|token(?:izer|ize)|primary[_-]?key|foreign[_-]?key|sort[_-]?key|cache[_-]?key|key[_-]?(?:code|board)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    rb"^(?:self|this|os|env|process|config|settings|options|args|params|request|ctx|app|data|var|local"
    rb"|module|secrets|props|state|conf|cfg|obj|res|req|user|row|kwargs|opts)[.\[>-]|getenv|environ|process\.env"
    rb"|^[A-Za-z_][\w.]*\(|\)$|^[A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*)+$|^&?[A-Za-z_]\w*\[|=>|^@|^\\|^!"
)
_IDENTIFIER = re.compile(rb"^[A-Za-z]+(?:[_.-][A-Za-z]+)*$")
_CONSTANT = re.compile(rb"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")
_CAMEL = re.compile(rb"^[a-z]+(?:[A-Z][a-z]+)+$|^(?:[A-Z][a-z]+){2,}$")
_PATH = re.compile(rb"^(?:\.{0,2}/|~/|[A-Za-z]:\\|file:|https?://[^@]*$)|\.(?:json|ya?ml|pem|key|txt|py|js|go|html?|php|conf)$")  # fmt: skip  # noqa: E501
_NOTHING = frozenset(
    b"true false none null nil undefined string str text bytes int number bool boolean optional"
    b" required default password passwd secret token key value any object empty unknown public"
    b" private username user admin root test testing localhost hidden masked sha256 md5 bearer"
    b" basic".split()
)
_HASH = re.compile(rb"^(?:sha\d+[-:]|\$\d\w?\$|\{\w+\})")
_WORD_BREAKS = re.compile(rb"[a-z]{4,}")
_VOWELS = frozenset(b"aeiou")


@dataclass(frozen=True, slots=True)
class Score:
    """What a candidate is worth.

    Attributes:
        confidence: None when it is not shown at all.
        reasons: for a person.
    """

    confidence: Confidence | None
    points: float
    reasons: tuple[str, ...]


_NO = Score(None, 0.0, ())


def score(name: str, value: bytes, *, quoted: bool, path: str = "") -> Score:
    """Weigh a value by what it looks like and what it is assigned to.

    Args:
        name: the name before the value, as it stands there.
        value: without its quotes.
        quoted: whether quotes stood around it; bare words in code are names of things.
        path: of the file, where known.
    """
    if _no_secret(name, value, quoted=quoted):
        return _NO
    reasons = [f"assigned to `{name}`"] if name else []
    points = 1.5 if _STRONG_NAME.search(name) else 0.5
    if _WEAK_NAME.search(name):
        points -= 2.0
    points += _value_points(value)
    points += 0.5 if quoted else 0.0
    if example_word(value):
        points -= 3.0
    if _from_tests(path):
        points -= 0.5
        reasons.append("stands among tests or examples")
    if shannon(value) >= 3.5:  # noqa: PLR2004  (bits a character; words stay below)
        reasons.append(f"random-looking: {shannon(value):.1f} bits a character")
    confidence = Confidence.MEDIUM if points >= MEDIUM else Confidence.LOW
    return Score(confidence if points >= LOW else None, points, tuple(reasons))


def _no_secret(name: str, value: bytes, *, quoted: bool) -> bool:
    low = value.lower().strip(b"\"'`;,")
    return bool(
        len(value) < 4  # noqa: PLR2004
        or low in _NOTHING
        or low == name.lower().encode()
        or template(value)
        or invented(value)
        or len(set(value)) < 4  # noqa: PLR2004
        or _PATH.search(value)
        or _HASH.match(value)
        or _CONSTANT.match(value)
        or (not quoted and (_REFERENCE.search(value) or _CAMEL.match(value)))
    )


def _value_points(value: bytes) -> float:
    letters = any(chr(c).isalpha() for c in value)
    digits = any(48 <= c <= 57 for c in value)  # noqa: PLR2004  (ASCII digits)
    mixed = value.lower() != value and value.upper() != value
    other = any(not chr(c).isalnum() for c in value)
    kinds = letters + digits + mixed + other
    points = (shannon(value) - 2.5) * 0.9 + (kinds - 1) * 0.35
    points += min(len(value), 40) / 40
    if _IDENTIFIER.match(value) or _CAMEL.match(value):
        points -= 1.8
    elif _wordy(value):
        points -= 1.0
    if b" " in value:
        points -= 2.5
    return points


def _wordy(value: bytes) -> bool:
    """Say whether most of a value is made of letters that can be spoken."""
    spoken = sum(len(run) for run in _WORD_BREAKS.findall(value.lower()) if _spoken(run))
    return spoken > _MOSTLY * len(value)


def _spoken(run: bytes) -> bool:
    share = sum(letter in _VOWELS for letter in run) / len(run)
    return _FEW_VOWELS <= share <= _MOSTLY


_FEW_VOWELS, _MOSTLY = 0.2, 0.6


def _from_tests(path: str) -> bool:
    return bool(
        re.search(
            r"(?:^|/)(?:tests?|specs?|examples?|fixtures?|testdata|mocks?|docs?)/|_test\.|\.spec\.|test_",
            path,
        )
    )
