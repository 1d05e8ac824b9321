"""How likely a candidate is a secret: hard refusals first, then trees over its features.

Provider rules know their format; here only the name, the value and its surroundings speak.
bench/accuracy/train.py makes the weights; docs/decisions/0007-classifier.md says how and why.
"""

from functools import lru_cache

from scanner.candidate import Candidate
from scanner.chosen import chosen
from scanner.elsewhere import elsewhere
from scanner.entropy import shannon
from scanner.features import features
from scanner.gap import compared
from scanner.lazy import lazy
from scanner.place import NOWHERE, Place, place_of
from scanner.placeholder import counts_apart
from scanner.refusal import refused
from scanner.saying import says_it_in_signs, says_what_it_is
from scanner.score import Score
from scanner.shape import UUID, decoded, machine_made, strong, worded
from scanner.tokenform import lets_nobody_in
from scanner.trees import shipped
from scanner.wording import IDENTITY, STOCK
from vocabulary.finding import Confidence

WEIGHED = frozenset({"generic", "connection-strings", "command-line", "netrc", "http"})
"""Providers whose rules know where a secret stands, not what it looks like."""

_LEVELS = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)
_RANDOM = 3.5  # bits a character; words stay below
_SECRET_NAME = lazy(
    r"(?i)pass(?!ive|enger|port|age|ing|ed\b)|pwd|secret|token|(?:api|access|private|auth|encrypt\w*|sign\w*|master|account|shared|storage|service|license"
    r"|application|app|consumer|hmac|session|cookie|bot|admin|aws|s3)[_.-]?key|apikey|cred(?:ential)?s?\b|bearer|jwt|auth$"
    r"|(?:^|[_.-])pw\d?$"
)


@lru_cache(maxsize=8192)
def possible(candidate: Candidate, *, known_place: bool = False) -> Score | None:
    """Weigh a candidate whose path is not known; unlikely ones need no path to be dropped.

    Lines come again and again, so that what was said is remembered.

    Args:
        candidate: what a rule saw.
        known_place: the rule alone says that a secret stands here; it is kept, however unlikely,
            so that logs are rid of it.

    Returns:
        None for what is no secret.
    """
    if refused(candidate):
        return None
    probability = shipped().probability(features(candidate, NOWHERE))
    if probability < shipped().possible and not known_place and not chosen(candidate):
        return None
    return _scored(candidate, probability, NOWHERE)


def weigh(candidate: Candidate, path: str) -> Score:
    """Weigh a candidate in a file."""
    return _weighed(candidate, place_of(path))


@lru_cache(maxsize=8192)
def _weighed(candidate: Candidate, place: Place) -> Score:
    """Weigh a candidate by what its path says: it stands in many versions of many files."""
    if candidate.kind == "uuid" and place.structural:
        return Score(None, 0.0)
    return _scored(candidate, shipped().probability(features(candidate, place)), place)


def _scored(candidate: Candidate, probability: float, place: Place) -> Score:
    made = machine_made(candidate.value)
    if not made and (place.translated or (place.code and _is_reference(candidate))):
        return Score(None, probability)
    levels = shipped().levels
    reached = sum(probability >= level for level in levels)
    if _is_certain(candidate) and probability >= levels[0]:
        reached = len(levels)
    reached = min(reached or int(chosen(candidate)), _most(candidate, place))
    confidence = _LEVELS[reached - 1] if reached else None
    return Score(confidence, probability, tuple(_reasons(candidate, probability, place)))


def _most(candidate: Candidate, place: Place) -> int:
    """Return the highest level that a candidate may reach: 1 low, 2 medium, 3 high.

    The labels that trees learn from count fixtures of tests and every UUID; a person who did not
    ask for everything is shown neither.
    """
    made = machine_made(candidate.value) and not worded(candidate.value)
    if candidate.kind == "uuid":
        return 2 if _names_a_secret(candidate.name) and not place.among_tests else 1
    if _is_doubted(candidate) or _is_doubted_at(candidate, place):
        return 1
    if not made and (
        _COMMENT.match(candidate.before)
        or _is_bare(candidate, place)
        or _is_a_word(candidate, place)
    ):
        return 1
    if place.among_tests:
        return 2 if made and not UUID.fullmatch(candidate.value) else 1
    return 3 if made or strong(candidate.value) else 2


def _is_doubted(candidate: Candidate) -> bool:
    """Say whether a value is likely to be none of the name's, wherever the line stands."""
    if candidate.kind in _SAID and says_what_it_is(candidate.value):
        return True
    if candidate.kind == "assignment" and not _names_a_secret(candidate.name):
        return True
    if lets_nobody_in(candidate.value) or counts_apart(candidate.value.lower().encode()):
        return True
    if _CONTROL.search(candidate.before[-_NEAR:] + candidate.after[:_NEAR]):
        return True  # within a program or a picture
    if candidate.kind == "header" and _is_example_login(candidate.value):
        return True
    return elsewhere(candidate) or _FORGERY.search(candidate.name) is not None


def _is_doubted_at(candidate: Candidate, place: Place) -> bool:
    """Say whether a file is one of what people read, and the value may be."""
    if (place.among_examples and not place.rendered) or place.reported:
        return True
    if (place.spoken or place.compiled) and not machine_made(candidate.value):
        return True
    if _is_listed_at(candidate, place) or _is_said_at(candidate, place):
        return True
    return place.tongue and not any(map(str.isdigit, candidate.value))


def _is_listed_at(candidate: Candidate, place: Place) -> bool:
    """Say whether a value is a sum in a list of packages, or the key of a site's search."""
    if place.locked and candidate.kind == "assignment" and _SUM.fullmatch(candidate.value):
        return True
    if candidate.name != "apiKey" or not _SEARCH_KEY.fullmatch(candidate.value):
        return False
    return place.published or _INDEX.match(candidate.after) is not None


def _is_said_at(candidate: Candidate, place: Place) -> bool:
    """Say whether a value is a word of a message, or the word for a secret in code or a text."""
    if place.told and not candidate.quote and _PROSE.fullmatch(candidate.value):
        return True
    read = (place.code and not place.configures) or place.text
    return read and says_it_in_signs(candidate.value)


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


def _is_a_word(candidate: Candidate, place: Place) -> bool:
    """Say whether a value is a word where none is a secret: a token, or a password of code.

    Machines make tokens and keys; people set a word as a password, but where it is set, in a
    configuration or a statement.
    """
    if candidate.kind != "assignment":
        return False
    if not _CHOSEN.search(candidate.name):
        return _NUMBERED.fullmatch(candidate.value) is not None or worded(candidate.value)
    return place.code and not place.configures and _WORDS.fullmatch(candidate.value) is not None


def _is_bare(candidate: Candidate, place: Place) -> bool:
    """Say whether a value is compared with something, or a number of code."""
    return compared(candidate) or (place.code and _is_number(candidate))


def _is_number(candidate: Candidate) -> bool:
    """Say whether a value is a number of code, as a generator gives to pictures."""
    if candidate.quote or not candidate.value.rstrip(";,").removeprefix("-").isdigit():
        return False
    return not any(quote in candidate.before for quote in "\"'`")


_SUM = lazy(r"[0-9a-f]{32,128}|(?:sha\d+[-:])?[0-9A-Za-z+/]{27,90}={0,2}")
_PROSE = lazy(r"[a-z]+")
_SEARCH_KEY = lazy(r"[0-9a-f]{32}")
_INDEX = lazy(r"[\"']\s{0,2},\s{0,2}[\"']?index_?[nN]ame\b")
"""`apiKey:"…",indexName:"`: with it anybody searches."""
_CHOSEN = lazy(r"(?i)pass|pwd|pw\b|psw|secret|cred")
_ONE = r"(?:[A-Z]?[a-z]{2,14}|[A-Z]{2,14})"
_WORD = _ONE + r"(?:[ _.-]" + _ONE + r"|[A-Z][a-z]{1,14}){0,9}"
_WORDS = lazy(_WORD + r"[.!?]?")
_NUMBERED = lazy(_WORD + r"[ _-]?\d{0,3}")
"""Words are short; what a machine made of letters alone seldom is."""
_OF_STANDARDS = frozenset({"open sesame", "opensesame"})
"""RFC 7617's."""
_SAID = ("url", "command", "sql", "option", "argument")
_FORGERY = lazy(
    r"(?i)^_token$|^request_?token$|csrf|xsrf|authenticity|antiforgery|nonce|(?:page|version|sync|tracking|(?<![a-z])form)_?token|continuation"
)
_CONTROL = lazy("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_NEAR = 40
_BARE = lazy(r"[A-Za-z_]\w*(?:(?:\.|::|->)\w+)*[;,]?")
_EXAMPLE = lazy(r"[a-z_-]*(?:secret|token|wrong|invalid)[a-z_-]*\d{0,4}")
_COMMENT = lazy(r"\s*(?://|#(?![ \t]*define\b)|/?\*|--|<!--)|[^\"'`]*\s(?://|#)\s")
_CERTAIN = ("url", "command", "sql")
"""Kinds in which a password stands for sure; the question is only whether it is a placeholder."""
_ASSIGNED = lazy(r"(?:\s(?:[+.|&]?=|:=)|:)\s+\Z|\b(?:var|let|const)\s[\w$]{1,60}=\Z")


def _names_a_secret(name: str) -> bool:
    """Say whether a name is one of secrets, rather than of ids, nonces or bare keys."""
    return _SECRET_NAME.search(name) is not None and not IDENTITY.search(name)


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


def _is_example_login(value: str) -> bool:
    """Say whether Basic authorization holds a password that is a word for one: `user:password`."""
    password = decoded(value).partition(":")[2].lower()
    if password in _OF_STANDARDS:
        return True
    return password in STOCK or "password" in password or _EXAMPLE.fullmatch(password) is not None
