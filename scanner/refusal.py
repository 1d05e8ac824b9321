"""Candidates that are no secret whatever stands around them: refused before anything is weighed."""

from functools import lru_cache

from scanner.candidate import Candidate
from scanner.gap import goes_on, means_another, speaks
from scanner.lazy import lazy
from scanner.shape import decoded, machine_made
from scanner.wording import BAD_NAME, IDENTITY, NAME_KINDS

_REFUSED = lazy(
    r"\$\{|\{\{|\$\(|<%|%>|#\{|@@|@\{|^\$[A-Za-z_]|^\$\$?\w+\$?$|^%[\w()]{0,30}[sdvq%]?$|^<[^<>]*>$|^\[[^\]]*\]$|^\{\w*\}$"
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
_PUBLISHED = lazy(r"^wJalrXUtnFEMI|^AKIAIOSFODNN7|^(?:IQoJb3JpZ2lu|FwoGZXIvYXdz)[^0-9A-Za-z]*$")
"""The examples of keys in AWS' documentation, and what every session token begins with."""
_NO_PASSWORD = lazy(r"\b(?:mysql|mariadb)\w*\b[^|;]*\s-p\s+\Z")  # -p asks, a database follows
_FOREIGN_LETTERS = lazy(r"[^\x00-\x7f]")
_LABEL = lazy(
    r"(?i)(?:^|[_.-])(?:label|title|msg|message|placeholder|hint|tooltip|description|caption|prompt)(?:[_.-]|$)"
    r"|[a-z](?:Label|Title|Message|Placeholder|Hint|Tooltip|Description|Prompt)(?:[A-Z]|$)"
)
_INDEX = lazy(r"[\w\]]\[\\{0,2}[\"']\Z")
_PROSE = lazy(r"(?i)\bpass (?:[a-z]+ ){0,6}\(?(?::[\w:]{1,20}:)?[\"'`]{1,2}\Z")  # the verb
_STATES = frozenset(
    """enable enabled disable disabled always never present absent inherit required optional auto
    auto-generate autogenerate generate on_create on-create default automatic manual prompt ask
    plain plaintext cleartext encrypted basic before after hover focus active visited changed
    updated created deleted removed expired revoked compromised forgotten missing nullable sometimes
    confirmed unique unset undef latest stdin
    notrequired not_required not-required""".split()
)
"""What settings are set to, beside a name that holds a word of secrets."""
_OF_OPTIONS = frozenset("flag flags option options argument arguments parameter switch".split())
"""What a sentence says behind the name of an option: `use the --password flag`."""
_SQL_WORDS = frozenset(
    """expire expired null default lock unlock disable disabled enable never interval history
    reuse require""".split()
)
"""What follows `password` in SQL where no password does: `ALTER USER app PASSWORD EXPIRE`."""
_OPTION = lazy(r"\s--?[\w-]{0,30}password\s+[\"']\Z")  # of a command, which has a rule of its own
_NO_VALUE = lazy(
    r"^(?:npm:|v|\d:)?[~^<>=]{0,2}\d+\.\d+(?:\.\d+)?(?:[-+._][\w.()@-]{1,60})?"
    r"(?:, ?[~^<>=!]{1,2}[\w.]{1,20})?$"
    r"|^-?0[xX][0-9a-fA-F]{1,8}$"
    r"|^(?:application|text|image|audio|video|multipart|font)/[\w.+-]+$|^[\w.]{1,30}[<>]=?\d"
    r"|^(?:file|hkps?|ldaps?|wss?|git|s3|gs|urn|arn):[^@]*$|^:[a-z-]+\)?$"
    r"|^[\w.-]{1,80}:(?:jar|war|pom|aar|bundle|maven-plugin|test-jar):[\w.:-]+$"
    # words alone: base64 ends so as well
    r"|^[:@]?(?:[A-Z]?[a-z]+(?:[A-Z][a-z]+|[_.:-][A-Za-z]?[a-z]*){0,8}|[A-Z]+(?:[_.:-][A-Z]+){0,8})\d?=$"
    r"|^>?</?[A-Za-z][\w-]*[ >/]"
    r"|^[A-Za-z]+(?:[_-][A-Za-z]+)*[_-]$|^\d+\.(?:(?:milli|micro|nano)?second|minute|hour|day|week|month|year)s?$"
)
"""Versions, numbers in code, media types, conditions, addresses, packages, attributes, headers of
tokens, elements of HTML, keywords, prefixes."""
_HEADER_ALONE = lazy(r"^eyJ(?:hbGciOi|0eXAiOi)[\w-]{4,80}={0,2}\.?$")
_ELEMENT = lazy(r"[@$]{0,2}[A-Za-z_][\w.]*\[[\w\"':.$ +*-]*\]?;?$")
_FILE_NAME = lazy(r"\.(?:py|js|ts|rb|go|java|php|sh|ya?ml|json|md|rst|html?|c|h|txt)$")
_SWITCH = lazy(
    r"(?i)^(?:ask|env|no|prompt|use|with|without|read|show|hide|skip|require|disabled?|enabled?)-|recv-keys?$"
)
_WORKING = lazy(r"(?i)(?:\$\(|`)pwd\b")
_HOST = lazy(r"://[\w.-]{1,80}:\Z")
_PORT = lazy(r"\d{1,5}(?:[/?#]|\Z)")
_HEX_WORDS = (
    "deadbeef", "c0ffee", "cafebabe", "0123456789", "123456789a", "0001020304050607",
    "0102030405060708",
)  # fmt: skip
_SAME, _REPEATED = lazy(r"(.)\1{7}"), 8
_ALIKE, _LONG = 4, 16  # a UUID, or what is so long, has more distinct digits than this


def refused(candidate: Candidate) -> bool:  # noqa: C901, PLR0911, PLR0912  (one a refusal)
    """Say whether a value is filled in elsewhere, is known to be public, or is nothing at all."""
    value = candidate.value
    if _is_filled_in(value) or _PUBLIC.match(value) or _is_of_few(value):
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
    if candidate.kind == "sql" and _is_no_statement(candidate):
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
            or (_describes(candidate.name) and not machine_made(value))
        )
    ):
        return True
    if candidate.kind == "uuid":
        return len(set(value.lower()) - {"-"}) <= _ALIKE or _counts_up(value)
    if candidate.kind == "header" and _HEADER_ALONE.match(value):
        return True
    if candidate.kind == "header" and (bare := value.rstrip(".,;:")).isalpha() and bare.islower():
        return True
    if candidate.kind == "header" and candidate.before.rstrip().lower().endswith("basic"):
        return not _user_and_password(value)
    return candidate.name != "" and value.lower() == candidate.name.lower()


def _is_no_statement(candidate: Candidate) -> bool:
    """Say whether what looks like a statement is none, or sets no password."""
    value, quoted = candidate.value, bool(candidate.quote)
    if not quoted and (value.lower() in _SQL_WORDS or goes_on(candidate)):
        return True
    return _OPTION.search(candidate.before) is not None


def _is_none(candidate: Candidate) -> bool:  # noqa: PLR0911  (one a kind of none)
    """Say whether what stands beside a name of secrets is a setting, or nothing of it."""
    value, name = candidate.value, candidate.name
    if value.lower() in _STATES or _NO_VALUE.match(value) or _HEADER_ALONE.match(value):
        return True
    if candidate.kind == "option" and (_SWITCH.search(name) or value.lower() in _OF_OPTIONS):
        return True
    if value.startswith("//") and "?" not in value and candidate.before.endswith(f"{name}:"):
        return True  # the name is the scheme of an address
    if _FILE_NAME.search(name) or (value[:1].isdigit() and _is_port(candidate)):
        return True
    if value.endswith(":") and candidate.after[:1] in ('"', "`"):
        return True  # a tag of a field: `json:"password"`
    if not candidate.quote and _ELEMENT.match(value):
        return True
    if name.lower() == "pwd" and (
        "/" in value
        or value[:1] in ".~"
        or not (candidate.quote or name == "pwd")
        or _WORKING.search(candidate.before)
    ):
        return True  # the working directory
    if machine_made(value):
        return False
    return speaks(candidate) or means_another(candidate)


def _is_port(candidate: Candidate) -> bool:
    """Say whether the name is a host of an address: `https://auth.example.com:8080/login`."""
    return _HOST.search(candidate.before) is not None and _PORT.match(candidate.value) is not None


def _is_filled_in(value: str) -> bool:
    if not (_TELLING.search(value) or value[:1] in _FILLERS):
        return False  # most values, and much faster
    return _REFUSED.search(value) is not None


def _stands_for_hex(value: str) -> bool:
    low = value.lower()
    return any(word in low for word in _HEX_WORDS) or (
        len(low) >= _REPEATED and _SAME.search(low) is not None
    )


def _is_of_few(value: str) -> bool:
    """Say whether a value is made of one character, or a long one of very few."""
    kinds = len(set(value))
    return kinds == 1 or (len(value) >= _LONG and kinds <= _ALIKE)


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


def _counts_up(value: str) -> bool:
    """Say whether a UUID was typed: each group one digit, or 0123… along the keyboard."""
    digits = value.replace("-", "").lower()
    groups = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    return all(len(set(group)) == 1 for group in groups) or digits.startswith(_TYPED)


_TYPED = ("0123456", "1234567", "abcdef0")


def _user_and_password(value: str) -> bool:
    text = decoded(value)
    if _is_filled_in(text.partition(":")[2]):
        return False
    return ":" in text[1:-1] and text.isprintable() and "\ufffd" not in text
