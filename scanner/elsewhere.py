"""Values that stand where a secret would, and belong to something else or describe one.

They are no mistakes of a rule: whoever asks for everything is shown them, at low confidence.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from functools import lru_cache

from scanner.candidate import Candidate
from scanner.gap import gap_of
from scanner.lazy import lazy

_OWN_KEY = lazy(
    r"[\"'`\\)]{0,6}\s*(?:[:=,]|=>)?\s*(?:\[\s*)?[{(]\s*[\"'`\\]{0,3}([\w.$-]{1,40})[\"'`\\]{0,3}"
    r"\s*(?::|=>?)\s*[\"'`\\]{1,3}\Z"
)
"""`secret": {"shape": "`, `password, {name: '`: the value has a key of its own."""
_ATTRIBUTE = lazy(r"[\"'`][ \t]{1,8}([\w:.-]{1,40})[:=]\\?[\"'`]\Z")
"""`name="password" style="`, `locationName:"password" type:"`."""
_HOLDS_VALUE = frozenset(
    """value values content default defaultvalue secret password passwd pass pwd token key apikey
    data stringdata text val plain plaintext raw current literal string hash auth
    credential""".split()
)
_ENTRY = lazy(r"[\"'`]\s{0,4}(?::|=>)\s{0,4}[\"'`\[{]")
_CODE_WORDS = frozenset("await yield new typeof lambda function async return delete void".split())
_DESCRIBING = lazy(
    r"(?i)(?:scheme|schema|back_?end|algo|algorithms?|gen|hashing|driver|engine|plugin|handlers?|issuer|audience"
    r"|library|module|command|program|tool|syntax|charset|encoding)s?$"
)
_PUBLISHED = lazy(r"(?i)public|sha-?\d|fingerprint|thumbprint|checksum|digest|issuer|audience")
_SECRET = lazy(r"(?i)secret|private|passw|pwd|credential")
_SAID = lazy(
    r"(?i)in_?valid|not_?-?valid|\bvalid\b|example|sample|dummy|change_?-?me|placeholder|fake"
)
_WHEN = lazy(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.Zz+-]{0,20})?")
_WORDS_FOR = lazy(
    r"(?i)[a-z_ -]*(?:passw(?:or)?d|secret|token|api[_-]?key)[a-z_ -]*\n?|replace|literal"
)
_FOREIGN = lazy(r"(?i)\\u(?!00[0-7])[0-9a-f]{4}")
"""Letters of other languages, as JSON may write them."""
_PLAIN = lazy(r"[A-Z]?[a-z]+[.,;:!?]{0,2}")
_LONG, _ODD = 80, 0.3
_MADE = 16  # signs, from which on a machine may have made a value


def elsewhere(candidate: Candidate) -> bool:
    """Say whether a value is likely to belong to something else than the secret of that name."""
    name, value = candidate.name, candidate.value
    if candidate.kind == "header":
        return bool(_SAID.search(value) or _PLAIN.fullmatch(value))
    if candidate.kind != "assignment":
        return False
    if _published(name) or (_described(name) and len(value) < _MADE):
        return True
    if not candidate.quote and value in _CODE_WORDS and candidate.after[:1] == " ":
        return True
    if (
        _FOREIGN.search(value)
        or _WHEN.fullmatch(value)
        or _WORDS_FOR.fullmatch(value)
        or _of_a_table(value)
    ):
        return True
    return _of_another(candidate) or _WORDS_FOR.fullmatch(_of_base64(value)) is not None


def _of_another(candidate: Candidate) -> bool:
    gap = gap_of(candidate)
    at = candidate.before.rfind(candidate.name) if candidate.name else 0
    if at > 0 and candidate.before[at - 1] == "=":
        return True  # the name is a value itself: `action=pass:repeat=0`
    if not candidate.quote:
        return (gap + candidate.value[:1]).startswith("::")  # a constant of a class
    own = _OWN_KEY.fullmatch(gap) or _ATTRIBUTE.fullmatch(gap)
    if own is not None and own[1].lower() not in _HOLDS_VALUE:
        return True
    entry = "?" not in gap and ("[" in gap or "{" in gap)
    return entry and _ENTRY.match(candidate.after) is not None  # it is a key itself


@lru_cache(maxsize=4096)
def _published(name: str) -> bool:
    """Say whether a name is one of what is shown to all, or checks something."""
    return _PUBLISHED.search(name) is not None and _SECRET.search(name) is None


@lru_cache(maxsize=4096)
def _described(name: str) -> bool:
    """Say whether a name is one of what makes, keeps or checks secrets."""
    return _DESCRIBING.search(name) is not None


def _of_base64(value: str) -> str:
    """Return what a value says in base64; empty where that is no text."""
    if len(value) % 4 or len(value) > _LONG:
        return ""
    try:
        return b64decode(value, validate=True).decode("ascii")
    except (NotBase64, ValueError):
        return ""


def _of_a_table(value: str) -> bool:
    """Say whether a value is long and full of signs, as the tables of parsers are."""
    if len(value) < _LONG:
        return False
    return sum(not sign.isalnum() for sign in value) > _ODD * len(value)
