"""How likely a candidate is a secret: hard refusals first, then trees over its features.

Provider rules know their format; here only the name, the value and its surroundings speak.
bench/accuracy/train.py makes the weights; docs/decisions/0007-classifier.md says how and why.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from functools import lru_cache

import msgspec

from scanner.candidate import Candidate
from scanner.elsewhere import elsewhere
from scanner.entropy import shannon
from scanner.features import features
from scanner.gap import compared, means_another, speaks
from scanner.lazy import lazy
from scanner.place import NOWHERE, Place, place_of
from scanner.trees import shipped
from scanner.wording import BAD_NAME, IDENTITY, NAME_KINDS, STOCK
from vocabulary.finding import Confidence

WEIGHED = frozenset({"generic", "connection-strings", "command-line", "netrc", "http"})
"""Providers whose rules know where a secret stands, not what it looks like."""

_LEVELS = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)
_REFUSED = lazy(
    r"\$\{|\{\{|\$\(|<%|%>|#\{|@@|^\$[A-Za-z_]|^\$\$?\w+\$?$|^%[\w()]{0,30}[sdvq%]?$|^<[^<>]*>$|^\[[^\]]*\]$|^\{\w*\}$"
    r"|^:\w+$|^\*+$|^[.\-_=+x?#/\\|~]+$|\.\.\.|…|^(?:\\[a-z0])+$|^%[A-Z_]{3,}%$|^__\w+__$|^\{\{?.*\}$|^@?\w+\(.*\)$|^`.*`$"
    r"|\{[A-Za-z_]\w*(?:[:!][^{}\s]{1,20})?\}|\{\d+,\d*\}|<(?:your|my|the)[-_ ][^<>]*>"
    r"|^(?:os\.environ|process\.env|ENV\[|System\.getenv)"
    r"|^EJ\[\d:[\w+/=:]+\]$|^encrypted:[\w+/=]{40,}$|^op://",
)
"""Templates, names of variables; what EJSON and dotenvx have encrypted, references to 1Password."""
_TELLING = lazy(r"[$({<%#@*.…\\`\[:_]")
_FILLERS = tuple(".-_=+x?#/\\|~")
"""What each of these has somewhere, or begins with."""
_PUBLIC = lazy(
    r"^(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2|sha\d{1,3}[-:]|https?://[^@]*$|data:)"
    r"|^-----BEGIN (?:PUBLIC|CERT)|^age1[02-9ac-hj-np-z]{58}$"
)
_PUBLISHED = lazy(r"^wJalrXUtnFEMI|^(?:IQoJb3JpZ2lu|FwoGZXIvYXdz)[^0-9A-Za-z]*$")
"""The example of a key in AWS' documentation, and what every session token begins with."""
_NO_PASSWORD = lazy(r"\b(?:mysql|mariadb)\w*\b[^|;]*\s-p\s+\Z")  # -p asks, a database follows
_FOREIGN_LETTERS = lazy(r"[^\x00-\x7f]")
_LABEL = lazy(
    r"(?i)(?:^|[_.-])(?:label|title|msg|message|placeholder|hint|tooltip|description|caption|prompt)(?:[_.-]|$)"
    r"|[a-z](?:Label|Title|Message|Placeholder|Hint|Tooltip|Description|Prompt)(?:[A-Z]|$)"
)
_INDEX = lazy(r"[\w\]]\[\\{0,2}[\"']\Z")
_PROSE = lazy(r"(?i)\bpass (?:[a-z]+ ){0,6}(?::\w+:)?[\"'`]{1,2}\Z")  # the verb
_STATES = frozenset(
    """enable enabled disable disabled always never present absent inherit required optional auto
    auto-generate autogenerate generate on_create on-create default automatic manual prompt ask
    plain plaintext cleartext encrypted basic before after hover focus active visited changed
    updated created deleted removed expired revoked compromised forgotten missing""".split()
)
"""What settings are set to, beside a name that holds a word of secrets."""
_SQL_WORDS = frozenset(
    """expire expired null default lock unlock disable disabled enable never interval history
    reuse require""".split()
)
"""What follows `password` in SQL where no password does: `ALTER USER app PASSWORD EXPIRE`."""
_NO_VALUE = lazy(
    r"^(?:npm:|v)?[~^<>=]{0,2}\d+\.\d+(?:\.\d+)?(?:[-+.][\w.]{1,20})?$|^-?0[xX][0-9a-fA-F]{1,8}$"
    r"|^(?:application|text|image|audio|video|multipart|font)/[\w.+-]+$|^[\w.]{1,30}[<>]=?\d"
    r"|^(?:file|hkps?|ldaps?|wss?|git|s3|gs|urn|arn):[^@]*$|^:[a-z-]+\)?$"
    r"|^[\w.-]{1,80}:(?:jar|war|pom|aar|bundle|maven-plugin|test-jar):[\w.:-]+$|^[:@]?[\w.:-]{1,40}=$"
    r"|^eyJ(?:hbGciOi|0eXAiOi)[\w-]{4,80}={0,2}$"
    r"|^[A-Za-z]+(?:[_-][A-Za-z]+)*[_-]$|^\d+\.(?:second|minute|hour|day|week|month|year)s?$"
)
"""Versions, numbers in code, media types, conditions, addresses, packages, attributes, headers of
tokens, keywords, prefixes."""
_ELEMENT = lazy(r"[A-Za-z_][\w.]*\[[\w\"':.$]*\]?$")
_FILE_NAME = lazy(r"\.(?:py|js|ts|rb|go|java|php|sh|ya?ml|json|md|rst|html?|c|h|txt)$")
_SWITCH = lazy(r"(?i)^(?:ask|no|prompt|use|with|without|read|show|hide|skip|require)-|recv-keys?$")
_FEW = 5  # of a UUID's eight groups: the rest repeats
_BARE = lazy(r"[A-Za-z_]\w*(?:(?:\.|::|->)\w+)*[;,]?")
_HEX_WORDS = ("deadbeef", "c0ffee", "cafebabe", "0123456789", "123456789a")
_SAME, _REPEATED = lazy(r"(.)\1{7}"), 8
_RANDOM = 3.5  # bits a character; words stay below
_MADE, _EVEN = 16, 3.0  # signs, and bits for each, of what machines make
_CHOSEN = 8
_SECRET_NAME = lazy(
    r"(?i)pass(?!ive|enger|port|age|ing|ed\b)|pwd|secret|token|(?:api|access|private|auth|encrypt\w*|sign\w*|master|account|shared|storage|service|license"
    r"|application|app|consumer|hmac|session|cookie|bot|admin|aws|s3)[_.-]?key|apikey|cred(?:ential)?s?\b|bearer|jwt|auth$"
)
_ALIKE = 4  # a UUID has more distinct digits than this


class Score(msgspec.Struct, frozen=True):
    """What a candidate is worth.

    Attributes:
        confidence: None when it is not shown at all.
        reasons: for a person.
    """

    confidence: Confidence | None
    probability: float
    reasons: tuple[str, ...] = ()


def refused(candidate: Candidate) -> bool:  # noqa: C901, PLR0911, PLR0912  (one a refusal)
    """Say whether a value is filled in elsewhere, is known to be public, or is nothing at all."""
    value = candidate.value
    if _is_filled_in(value) or _PUBLIC.match(value) or len(set(value)) == 1:
        return True
    if _PUBLISHED.match(value) or (
        "-p" in candidate.before and _NO_PASSWORD.search(candidate.before)
    ):
        return True
    if (not value.isascii() and len(_FOREIGN_LETTERS.findall(value)) > 1) or _stands_for_hex(value):
        return True
    if candidate.after[:1] == "{":
        return True  # goes on with a field
    if candidate.quote == "`" and " " in value:
        return True
    if candidate.kind == "assignment" and value.startswith(("Basic ", "Bearer ")):
        return True  # what rules for headers look at
    if candidate.kind == "sql" and not candidate.quote and value.lower() in _SQL_WORDS:
        return True
    if candidate.kind in ("assignment", "argument", "option") and _is_none(candidate):
        return True
    if candidate.quote and (_INDEX.search(candidate.before[-5:]) or _is_prose(candidate.before)):
        return True
    if _is_label(candidate.name) and not any(map(str.isdigit, value)):
        return True
    if (
        candidate.kind == "assignment"
        and candidate.name
        and (
            _is_no_secret(candidate.name)
            or (_describes(candidate.name) and not _machine_made(value))
        )
    ):
        return True
    if candidate.kind == "uuid":
        return len(set(value.lower()) - {"-"}) <= _ALIKE or _counts_up(value)
    if candidate.kind == "header" and (bare := value.rstrip(".,;:")).isalpha() and bare.islower():
        return True
    if candidate.kind == "header" and candidate.before.rstrip().lower().endswith("basic"):
        return not _user_and_password(value)
    return candidate.name != "" and value.lower() == candidate.name.lower()


def _is_none(candidate: Candidate) -> bool:  # noqa: PLR0911  (one a kind of none)
    """Say whether what stands beside a name of secrets is a setting, or nothing of it."""
    value, name = candidate.value, candidate.name
    if value.lower() in _STATES or _NO_VALUE.match(value):
        return True
    if _FILE_NAME.search(name) or (candidate.kind == "option" and _SWITCH.search(name)):
        return True
    if value.endswith(":") and candidate.after[:1] in ('"', "`"):
        return True  # a tag of a field: `json:"password"`
    if not candidate.quote and _ELEMENT.match(value):
        return True
    if name.lower() == "pwd" and (
        "/" in value or value[:1] in ".~" or not (candidate.quote or name == "pwd")
    ):
        return True  # the working directory
    if _machine_made(value):
        return False
    return speaks(candidate) or means_another(candidate)


def _is_filled_in(value: str) -> bool:
    if not (_TELLING.search(value) or value[:1] in _FILLERS):
        return False  # most values, and much faster
    return _REFUSED.search(value) is not None


def _stands_for_hex(value: str) -> bool:
    low = value.lower()
    return any(word in low for word in _HEX_WORDS) or (
        len(low) >= _REPEATED and _SAME.search(low) is not None
    )


def _is_prose(before: str) -> bool:
    return "pass " in before.lower() and _PROSE.search(before) is not None


@lru_cache(maxsize=4096)
def _is_label(name: str) -> bool:
    return _LABEL.search(name) is not None


@lru_cache(maxsize=4096)
def _is_no_secret(name: str) -> bool:
    """Say whether a name only begins like one of secrets: `author`, `keyword`, `passenger`."""
    return not any(kind.search(name) for _, kind in NAME_KINDS)


@lru_cache(maxsize=4096)
def _describes(name: str) -> bool:
    """Say whether a name is that of an id, a label, a path, a size: of what people write."""
    return bool(IDENTITY.search(name) or BAD_NAME.search(name))


def possible(candidate: Candidate, *, known_place: bool = False) -> Score | None:
    """Weigh a candidate whose path is not known; unlikely ones need no path to be dropped.

    Args:
        candidate: what a rule saw.
        known_place: the rule alone says that a secret stands here; it is kept, however unlikely,
            so that logs are rid of it.

    Returns:
        None for what is no secret.
    """
    if refused(candidate):
        return None
    probability = unplaced(candidate)
    if probability < shipped().possible and not known_place:
        return None
    return _scored(candidate, probability, NOWHERE)


@lru_cache(maxsize=8192)
def unplaced(candidate: Candidate) -> float:
    """Return how likely a candidate is a secret, wherever it stands: lines come again and again."""
    return shipped().probability(features(candidate, NOWHERE))


@lru_cache(maxsize=8192)
def weigh(candidate: Candidate, path: str) -> Score:
    """Weigh a candidate in a file: it stands in many versions of it."""
    place = place_of(path)
    if candidate.kind == "uuid" and place.structural:
        return Score(None, 0.0)
    return _scored(candidate, shipped().probability(features(candidate, place)), place)


def _scored(candidate: Candidate, probability: float, place: Place) -> Score:
    made = _machine_made(candidate.value)
    if not made and (place.translated or (place.code and _is_reference(candidate))):
        return Score(None, probability)
    levels = shipped().levels
    reached = sum(probability >= level for level in levels)
    if _is_certain(candidate) and probability >= levels[0]:
        reached = len(levels)
    reached = min(reached, _most(candidate, place))
    confidence = _LEVELS[reached - 1] if reached else None
    return Score(confidence, probability, tuple(_reasons(candidate, probability, place)))


def _most(candidate: Candidate, place: Place) -> int:  # noqa: PLR0911  (one a doubt)
    """Return the highest level that a candidate may reach: 1 low, 2 medium, 3 high.

    The labels that trees learn from count fixtures of tests and every UUID; a person who did not
    ask for everything is shown neither.
    """
    made = _machine_made(candidate.value)
    if candidate.kind == "uuid":
        return 2 if _names_a_secret(candidate.name) and not place.among_tests else 1
    if candidate.kind == "assignment" and not _names_a_secret(candidate.name):
        return 1
    if _CONTROL.search(candidate.before[-_NEAR:] + candidate.after[:_NEAR]):
        return 1  # within a program or a picture
    if candidate.kind == "header" and _is_example_login(candidate.value):
        return 1
    if elsewhere(candidate) or (place.spoken and not made):
        return 1
    if place.among_examples or _FORGERY.search(candidate.name):
        return 1
    if not made and (_COMMENT.match(candidate.before) or compared(candidate)):
        return 1
    if place.among_tests:
        return 2 if made else 1
    return 3 if made or _strong(candidate.value) else 2


def _is_certain(candidate: Candidate) -> bool:
    """Say whether a password stands there for sure; the question is only what it is worth."""
    basic = candidate.kind == "header" and candidate.before.rstrip().lower().endswith("basic")
    return basic or candidate.kind in _CERTAIN


def _is_reference(candidate: Candidate) -> bool:
    """Say whether a value is a bare word behind `=` or `:`, or an argument: a name in code."""
    return (
        candidate.kind == "assignment"
        and not candidate.quote
        and _BARE.fullmatch(candidate.value) is not None
        and (_ASSIGNED.search(candidate.before) is not None or candidate.after[:1] in (",", ")"))
    )


_FORGERY = lazy(r"(?i)csrf|xsrf|authenticity|antiforgery|nonce|page_?token|continuation")
_CONTROL = lazy("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_NEAR = 40
_COMMENT = lazy(r"\s*(?://|#|/?\*|--|<!--)")
_CERTAIN = ("url", "command", "sql")
"""Kinds in which a password stands for sure; the question is only whether it is a placeholder."""
_ASSIGNED = lazy(r"(?:\s(?:=|:=)|:)\s+\Z")


def _names_a_secret(name: str) -> bool:
    """Say whether a name is one of secrets, rather than of ids, nonces or bare keys."""
    return _SECRET_NAME.search(name) is not None and not IDENTITY.search(name)


@lru_cache(maxsize=8192)
def _machine_made(value: str) -> bool:
    """Say whether a value is long and mixed, so that no person thought of it."""
    letters = any(map(str.isalpha, value))
    digits = sum(map(str.isdigit, value))
    return len(value) >= _MADE and letters and digits > 1 and shannon(value.encode()) >= _EVEN


def _strong(value: str) -> bool:
    """Say whether a password keeps the rules of those who set rules: eight signs of three kinds."""
    kinds = (str.isupper, str.islower, str.isdigit, lambda sign: not sign.isalnum())
    return len(value) >= _CHOSEN and sum(any(map(kind, value)) for kind in kinds) > 2  # noqa: PLR2004


def _reasons(candidate: Candidate, probability: float, place: Place) -> list[str]:
    said = {
        "url": "stands between user and host of an address",
        "option": "is given to a command",
        "command": "is given to a command",
        "argument": "is given to a call that takes a password or a key there",
        "sql": "is the password of an SQL statement",
        "header": "is sent as authorization",
        "seed": "is a seed of one-time passwords",
        "uuid": "is a UUID; some services accept one as a key",
    }.get(candidate.kind) or f"assigned to `{candidate.name}`"
    reasons = [said]
    if len(candidate.value) >= 16 and (bits := shannon(candidate.value.encode())) >= _RANDOM:  # noqa: PLR2004
        reasons.append(f"random-looking: {bits:.1f} bits a character")
    if place.among_tests or place.among_examples:
        reasons.append("stands among tests or examples")
    return [*reasons, f"the classifier gives it {probability:.0%}"]


def _counts_up(value: str) -> bool:
    """Say whether a UUID was typed: each group one digit, or 0123… along the keyboard."""
    digits = value.replace("-", "").lower()
    groups = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    return all(len(set(group)) == 1 for group in groups) or digits.startswith(_TYPED)


_TYPED = ("0123456", "1234567", "abcdef0")


def _user_and_password(value: str) -> bool:
    text = _decoded(value)
    return ":" in text[1:] and text.isprintable() and "\ufffd" not in text


def _is_example_login(value: str) -> bool:
    """Say whether Basic authorization holds a password that is a word for one: `user:password`."""
    password = _decoded(value).partition(":")[2]
    return password.lower() in STOCK or "password" in password.lower()


def _decoded(value: str) -> str:
    try:
        return b64decode(value + "=" * (-len(value) % 4), validate=True).decode("utf-8", "replace")
    except (NotBase64, ValueError):
        return ""
