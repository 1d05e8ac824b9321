"""Rules for text that passes through: a secret is one by where it stands, whatever it looks like.

For log lines alone, where what follows `Authorization: Bearer` or `password=` is a secret without a
doubt. In code and documents the same words stand before examples and variables, so a scan has other
rules for them (rules/generic.toml, weighed by scanner/classify.py).
"""

from base64 import b64decode
from urllib.parse import unquote_to_bytes

from scanner.allow import Allow
from scanner.rule import CONTEXT, Rule
from vocabulary.credential import STAND_IN
from vocabulary.secretnames import DOUBTFUL, TELLING

_SCHEMES = frozenset({"context-basic", "context-authorization", "http-basic-authorization"})
_KEY = 16
"""Characters of a user name that is a key; shorter ones are names of people."""


def _either(names: tuple[str, ...]) -> str:
    joint = "(?:[-_ ]|%2d|%5f)?"
    spelled = dict.fromkeys(name.replace("_", joint) for name in names)
    return f"(?:{'|'.join(spelled)})"


_DOUBTFUL = _either(DOUBTFUL)
_API_KEY = _either(("api_key",))
_OTHERS = _either(tuple(name for name in TELLING if name != "api_key"))
# Between a name and its value: `"name": "`, `name=`, `Name: `, `\"name\":\"`, encoded.
_CLOSED = r"""(?:\\{0,3}["']|%22)?"""
_IS = r"[ \t]{0,3}(?:[:=]|=>|%3d|%3a)[ \t]{0,3}"
# What a log calls `api_key` may be the key's id: AWS's, a small number, lower-case words. In the
# header X-Api-Key and in queries it is what was sent.
_ID = (
    r"(?-i:(?:AKIA|ASIA)[A-Z2-7]{16}|[0-9]{1,9}"
    r"|(?=[a-z0-9._-]{1,32}(?![a-z0-9._-]))[a-z]{1,14}(?:[._-][a-z]{1,14}){0,4}(?:[._-][0-9]{1,4})?)"
)
_NO_ID = rf"(?!\\{{0,3}}[\"']?{_ID}(?:[\s\"'&;,\\)}}\]>]|\Z))"
_SENT = r"(?:(?<=[?&;])|(?<=x[-_]))"
_NAMED = (
    rf"(?:{_SENT}{_API_KEY}{_CLOSED}{_IS}|{_API_KEY}{_CLOSED}{_IS}{_NO_ID}|{_OTHERS}{_CLOSED}{_IS})"
)
_QUOTED = r"""(?P<quote>["'])(?P<secret>(?:(?!(?P=quote))[^\\\r\n]|\\[^\r\n]){%s,1024})"""
_ESCAPED = r"""\\{1,3}["'](?P<secret>(?:[^"'\\\r\n]|\\\\[^"'\\\r\n]){%s,1024})"""
_BARE = r"""(?P<secret>[^\s"'&;\\]{1,1024}(?<![,)}\]>]))"""
_IN_QUERY = r"""(?P<secret>[^\s"'&;\\#<>]{%s,1024})"""

_NO_SECRET = Allow(
    patterns=(
        (
            r"(?i)\A(?:none|null|nil|true|false|undefined|unset|empty|n/a|hidden|masked|required"
            r"|optional|invalid|incorrect|wrong|missing|expired|changed|reset|must|should|is|was|not"
            r"|for|too|does|cannot|can't|has|and|or|string|ok|yes|no|failed|denied|revoked|rejected"
            r"|[\[<(]?(?:filtered|redacted|masked|removed|secret)[\])>]?)[.,!]?\Z"
        ),
        r"\A(?:\*+|-+|x+|X+|\.+|\?+|(?:•)+)\Z",
        r"\A\S{0,16}\[REDACTED\]",
        rf"\A\W{{0,40}}(?:{STAND_IN}|key_[a-z2-7]{{16}})\W{{0,40}}\Z",
        r"\A(?:\$\{[^{}]*\}?|\{\{.*\}\}|<[^<>]*>|\$[A-Z_]+|%\(?\w*\)?s|\{\w*\})\Z",
    ),
    reason="it says that there is none, or was replaced before",
)
_NO_SCHEME = r"(?!bearer\b|basic\b|aws4-|digest\b|hawk\b|credential:)"


def _rule(name: str, says: str, pattern: str) -> Rule:
    return Rule(
        id=f"{CONTEXT}-{name}",
        provider=CONTEXT,
        name=says,
        confidence="low",
        pattern=f"(?i){pattern}",
        allow=(_NO_SECRET,),
    )


RULES = (
    _rule(
        "authorization",
        "credential of an Authorization header",
        rf"authorization{_CLOSED}{_IS}(?:\\{{0,3}}[\"'])?"
        r"(?:(?:bearer|basic|token|apikey|api-key|negotiate|ntlm)(?:[ \t]|%20|\+){1,3})?"
        rf"{_NO_SCHEME}" + r"""(?P<secret>[^\s"'\\,;&]{6,4096})""",
    ),
    _rule(
        "bearer",
        "bearer token",
        r"\bbearer(?:[ \t]|%20|\+){1,3}(?=[a-z._~+/-]{0,60}[0-9])"
        r"(?P<secret>[0-9a-z._~+/-]{8,4096}={0,2})",
    ),
    _rule(
        "basic",
        "user and password of Basic authentication",
        r"\bbasic(?:[ \t]|%20|\+){1,3}(?=[a-z+/]{0,60}[0-9=])"
        r"(?P<secret>[0-9a-z+/]{8,2048}={0,2})(?![0-9a-z+/=])",
    ),
    _rule(
        "userinfo",
        "password in an address",
        r"""://[^\s/:@"'?#\\<>]{0,256}:(?P<secret>[^\s/@"'?#\\<>]{1,512})@""",
    ),
    _rule(
        "named-quoted",
        "value of a field that is named after a secret",
        _NAMED + _QUOTED % 1,
    ),
    _rule(
        "named-escaped",
        "value of a field that is named after a secret",
        _NAMED + _ESCAPED % 1,
    ),
    _rule(
        "named",
        "value of a parameter that is named after a secret",
        _NAMED + _BARE,
    ),
    _rule(
        "doubtful-quoted",
        "value of a field that is named after a secret",
        rf"[\"']{_DOUBTFUL}[\"']{_IS}" + _QUOTED % 8,
    ),
    _rule(
        "doubtful-escaped",
        "value of a field that is named after a secret",
        rf"[\"']{_DOUBTFUL}\\{{1,3}}[\"']{_IS}" + _ESCAPED % 8,
    ),
    _rule(
        "parameter",
        "value of a parameter that is named after a secret",
        rf"[?&;]{_DOUBTFUL}=" + _IN_QUERY % 8,
    ),
    _rule(
        "key-parameter",
        "value of a parameter that is named after a key",
        r"[?&;]key=(?![0-9a-f]{8}-)(?=[^&\s\"]{0,60}[0-9])(?=[^&\s\"]{0,60}[a-z])" + _IN_QUERY % 20,
    ),
    _rule(
        "field",
        "value of a field that is named after a secret",
        rf"(?:^|[\s,;{{(]){_DOUBTFUL}[:=][ \t]{{0,3}}(?=[a-z._~+/-]{{0,60}}[0-9])"
        r"""(?P<secret>[0-9a-z._~+/%!$*@=-]{10,1024})""",
    ),
)
"""All of them, for `scanner.redact`."""


def plain(rule: str, secret: bytes) -> bytes:
    """Return a value as whoever checks it sees it: decoded, and of Basic the key that it carries.

    Args:
        rule: id of the rule that found it.
        secret: as it stands in the text.
    """
    if rule in _SCHEMES:
        return _user(secret) or secret
    if b"%" in secret:
        return unquote_to_bytes(secret)
    return secret.replace(b"\\/", b"/").replace(b"\\u003d", b"=") if b"\\" in secret else secret


def _user(encoded: bytes) -> bytes:
    """Return the user name of Basic credentials where it is long enough for a key, else nothing."""
    try:
        user, colon, _ = b64decode(encoded, validate=True).partition(b":")
    except ValueError:
        return b""
    return user if colon and len(user) >= _KEY and user.isascii() else b""
