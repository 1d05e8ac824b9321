"""Words that names, values and lines are made of, and what they say of a value."""

from functools import lru_cache

from scanner.lazy import lazy

_WORDS = lazy(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

NAME_KINDS = (
    (
        "password",
        lazy(
            r"(?i)(?<!by)(?<!com)(?<!tres)(?<!sur)pass(?!ive|enger|port\b|age|ing|ed|es|_?through)|pwd|\bpw(?!n)|[_-]pw(?!n)|psw|PW(?!N)"
        ),
    ),
    ("secret", lazy(r"(?i)secret")),
    ("token", lazy(r"(?i)token|jwt|bearer")),
    (
        "key",
        lazy(r"(?i)key(?!word|board|server|system|s?pace|code|frame|map|bind|up\b|down\b|press)"),
    ),
    ("auth", lazy(r"(?i)auth(?!or(?!i))")),
    ("credential", lazy(r"(?i)cred(?!it)")),
    ("nonce", lazy(r"(?i)nonce")),
    ("salt", lazy(r"(?i)salt")),
    ("signature", lazy(r"(?i)signature")),
    ("session", lazy(r"(?i)[_.-]sid\b|session|cookie|otp")),
)
"""Kinds of names, and how they are recognised."""

IDENTITY = lazy(
    r"(?i)(?:^|[_.-])(?:id|ids|name|user|username|email|login|account|type|kind|uid|guid)$|[a-z](?:Id|ID|Ids|Name|Type|User|Email)$"
)
"""Names of what identifies something, and is not secret itself."""

BAD_NAME = lazy(
    r"(?i)(?:file|path|dir|folder|url|uri|endpoint|host|len|length|size|count|min|max|num|number|index|field|column|label|title|text"
    r"|msg|message|hint|help|error|err|exception|policy|rule|regex|pattern|prefix|suffix|placeholder|input|form|button|page|view|route|redirect"
    r"|param|params|header|format|version|expir\w*|expires|ttl|timeout|interval|mode|status|state|enabled|required|strength|reset|forgot\w*"
    r"|change|hash|hashed|digest|algorithm|alg|cipher|bits|class|method|func|callback|handler|encoder|decoder|validator|resolver|strategy|generator|provider|service|manager|factory|builder"
    r"|store|ring|bucket|arn|region|event|command|cmd|option|flag|env|var|variable|attr|attribute|property|selector|element|style|color|image|icon"
    r"|scope|scopes|realm|issuer|audience|model|table|schema|query|code|desc|description|info|test|code|position|range|group|list|map|set|ref"
    r"|time|date|usage|through|checksum|sha\d{1,3}|md5sum|server|system|last_?(?:eight|four|\d+)|hotkey|accesskey|bypass|reason)s?$"
    r"|(?:^|[_-]|(?<=[a-z]))(?:first|second|third|two|single|multi|render|shader|low|high|band)[_-]?pass$"
    r"|public|pub[_-]?key|keyword|primary|foreign|sort|partition|cache|index|fingerprint|csrf|xsrf|tokeni[sz]e|author\b|authors?\b"
)
"""Names that say that the value describes, points to or counts something."""

QUALIFIED = lazy(
    r"(?i)api|private|priv|secret|client|consumer|access|refresh|encrypt\w*|sign\w*|master|root|admin|db|database|mysql|postgres|redis|mongo|rabbit"
    r"|smtp|mail|ftp|ldap|aws|azure|gcp|s3|github|gitlab|slack|stripe|twilio|app|application|auth|oauth|jwt|bot|deploy|user|login|account"
    r"|keystore|truststore|key[_-]?store|trust[_-]?store|shared|session|cookie|hmac|license|registry|docker|npm|service|server|bearer|id[_-]?token"
)
"""Words beside `key` or `token` that make a secret of it."""

SPOKEN_TO_PEOPLE = lazy(
    r"(?i)(?:^|[_.-])(?:label|title|msg|message|text|placeholder|mandatory|error|err|hint|tooltip|help|desc|description"
    r"|caption|prompt|subject|button|btn|heading|notice|warning|confirm|forgot|reset|change|invalid)(?:[_.-]|$)"
    r"|[a-z](?:Label|Title|Message|Text|Placeholder|Error|Hint|Tooltip|Description|Prompt|Subject|Button)(?:[A-Z]|$)"
)
"""Names of what is shown to people: translations, labels, messages."""

STOCK = frozenset(
    """password passwd pass pwd secret secrets token tokens key keys test testing tests tester user
    username admin administrator root guest example examples sample dummy fake foo bar baz foobar
    foobaz qux changeme change placeholder value values string text default none null nil true
    false undefined empty invalid valid wrong bad good old new current your my some any this that
    the a an is in of to for and or not here with from enter insert type name id email login auth
    api apikey access client server private public credential credentials xxx xxxx todo hidden
    masked redacted removed anonymous required optional unknown other another correct incorrect
    random mock stub demo hello world localhost host database db field form input param header
    hash basic bearer digest oauth jwt sha md session cookie nonce salt signature abc abcd abcdef
    one two three first second third me you it on off yes no data obj object item blah something
    anything nothing whatever secretkey mypassword mysecret mytoken mykey pa""".split()
)
"""Words that stand where a secret would, in names of things, examples and sentences."""

TYPES = frozenset(
    """string str bool boolean int integer float bytes byte object any number char varchar text list
    dict array map void self this args kwargs config settings options params request response
    environ env process window document context state props data query body get set null none
    undefined true false optional required func function new return var let const""".split()
)
"""Words of types and of code."""

_OF_CODE = lazy(
    r"(?i)(?:assert\w*|expect\w*|raise|throw|print\w*|log\w*|console|import|require|include|return|def|func|function|class|if|elsif|elif|"
    r"describe|it|should\w*|equals?|contains|puts|echo|format|sprintf|errorf?|warn\w*|info|debug|test\w*|message|label|title)"
)
"""Words of lines that talk about a value, or compare it."""
_WORD = lazy(r"\w+")

_LAST = {
    word: number
    for number, group in enumerate(
        (
            "password passwd pass pwd passphrase passcode pw psw", "secret secrets", "token tokens jwt",
            "key keys apikey", "auth authorization", "credential credentials cred creds", "nonce",
            "salt", "signature", "id ids", "name user username", "type kind", "hash",
        ),
        1,
    )
    for word in group.split()
}  # fmt: skip


def is_code(line: str) -> bool:
    """Say whether a line talks about a value, or compares it."""
    return any(map(_of_code, _WORD.findall(line)))


@lru_cache(maxsize=8192)
def _of_code(word: str) -> bool:
    return _OF_CODE.fullmatch(word) is not None


@lru_cache(maxsize=4096)
def name_words(name: str) -> list[str]:
    """Return `words` of a name: they come again and again."""
    return words(name)


def words(text: str) -> list[str]:
    """Split a name at its underscores, dots and humps: `dbPassword_2` is db, password, 2."""
    return [found.lower() for found in _WORDS.findall(text)]


def last_word(parts: list[str]) -> int:
    """Return a number for the kind of the last word; digits at the end do not count."""
    for part in reversed(parts):
        if not part.isdigit():
            return _LAST.get(part, 0)
    return 0
