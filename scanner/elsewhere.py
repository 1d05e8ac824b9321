"""Values that stand where a secret would, and belong to something else or describe one.

They are no mistakes of a rule: whoever asks for everything is shown them, at low confidence.
"""

from functools import lru_cache

from scanner.beside import belongs_beside
from scanner.candidate import Candidate
from scanner.gap import gap_of
from scanner.lazy import lazy
from scanner.saying import says_what_it_is

_OWN_KEY = lazy(
    r"[\"'`\\)]{0,6}\s*(?:[:=,]|=>)?\s*(?:\[\s*)?[{(]\s*[\"'`\\]{0,3}([\w.$-]{1,40})[\"'`\\]{0,3}"
    r"\s*(?::|=>?)\s*[\"'`\\]{1,3}\Z"
)
"""`secret": {"shape": "`, `password, {name: '`: the value has a key of its own."""
_ATTRIBUTE = lazy(r"[\"'`][ \t]{1,8}([\w:.-]{1,40})[:=]\\?[\"'`]\Z")
"""`name="password" style="`, `locationName:"password" type:"`."""
_NEXT_KEY = lazy(
    r"[\"'`]?,\s*:?[\"'`]?([A-Za-z_][\w.-]{0,40})[\"'`]?\s*(?::|=>?)\s*[\[{(]?\s*[\"'`]\Z"
)
"""`"pwdlib", extra = ["`, `:password, :class => '`: the name was a value, another key follows."""
_ALTERNATIVE = lazy(r"[\"'`]\s*\|\s*[\"'`]")
"""`'profile' | 'password' | 'appearance'`, a type of TypeScript."""
_SUCH_AS = lazy(r"(?i)\b(?:e\.g|i\.e)\.|\bfor example\b|\bsuch as\b")
_TOLD = lazy(r":? (?:[a-z]+ ){0,3}[\"'`]")
_VERB = lazy(
    r"[\"'`] (?:[\"'`]|(?:is|are|was|were|must|should|cannot|can|could|has|had|does|did|will)\b)"
)
_HASHES = lazy(r"(?i)(?:hash\w*|salt\w*|s?sha_?\d+|md5|crypt|digest)\Z")
_OF_CODE = (
    lazy(r"[a-z][a-z0-9]{1,20}\.(?:[A-Z][a-z]+){2,}[A-Za-z0-9]{0,12}"),
    lazy(r"\.[a-z][a-z0-9]{0,30}(?:[._-][a-z0-9]{1,30}){0,4}"),
    lazy(r"[\w./-]{1,80}\.(?:pem|key|crt|cer|der|p12|pfx|jks|json|ya?ml|txt|properties)"),
    lazy(r"#[A-Za-z][a-z]+(?:[_-][a-z]+)*"),
    lazy(r"[\w@.~-]{1,60}(?:/[\w@.~-]{1,60}){1,12}\.[a-z][a-z0-9]{1,4}"),
    lazy(r"\d{0,3}\*\d{0,3}[A-Z][A-Za-z-]*"),
    lazy(r"[a-z]+(?:[A-Z][a-z]+)*\[\d{1,3}\]"),
    lazy(r"\d\.(?:[0-9A-Za-z+/]{8,}={0,2}\|){1,3}[0-9A-Za-z+/]{8,}={0,2}"),
    lazy(r"![0-9A-Za-z]{40}"),
    lazy(r"RW[0-9A-Za-z+/]{54}"),
    lazy(r"(?:pm|cus|src|card|ch|in|sub|price|prod|acct|evt|req|ba|tok)_[0-9A-Za-z]{14,30}"),
    lazy(r"EC-[0-9A-Z]{15,18}"),
    lazy(r"0x[0-9a-fA-F]{40}"),
    lazy(r"[0-9A-Za-z+/]{4,}={0,2}(?:--[0-9A-Za-z+/]{8,}={0,2}){1,2}"),
    lazy(r"gh[pousr]_\w{1,35}|github_pat_\w{1,81}"),
    lazy(r"1\d{9}(?:\d{3})?(?:-[0-9a-f]{32})?|-\d{6,}"),
    lazy(r"[A-Z]\w{1,40}\.[A-Z][A-Z_]{2,}"),
    lazy(r"[0-9a-f]{24,32}:[0-9a-f]{32}:[0-9a-f]{16,}"),
    lazy(r"(?:0x)?0[23][0-9a-f]{64}"),
    lazy(r"\d{4}_[a-z]+(?:_[a-z0-9]+)+"),
    lazy(r"[a-z][a-z0-9+.-]{1,20}://(?:[^\s:@/?]{0,40}@)?[^\s@?]{1,120}"),
    lazy(r"/(?:usr|etc|var|opt|home|Users|lib\d{0,2}|bin|tmp|root|run|srv|dev|proc|mnt)/[\w./+-]+"),
)
"""Members of packages, ends of dotted names, files, selectors, rules of a grammar and of
validation, what is encrypted (vector and text), Django's mark of no password, public keys of
minisign, ids of Stripe, of payments at PayPal and of accounts of Ethereum, what
Rails encrypts, tokens of GitHub that were shortened, times in seconds, what a form was sent with at
one, negative numbers, members of classes, what is encrypted (vector, tag and text), public keys of
curves, migrations, addresses without a password, paths."""
_BETWEEN = lazy(r"[),;][^\"'`]{0,198}[(,=\[+{]")
"""`).should(`, `,(0,o.kt)(`: the code between two strings of a line without spaces."""
_LETTERS = lazy(r"(?i)(?=.*[a-z]{3})[a-z ]*(?:\\{1,2}x[c-f][0-9a-f][a-z ]*){1,4}")
"""`Contrase\\xF1a`: a word of Latin letters, of which some are escaped."""
_EXPRESSION = lazy(r"^\^.{1,200}\$$|\(\?[:=!<imsx]|\\{1,2}[dwsDWS][+*{]|\[[A-Za-z]-[A-Za-z]")
"""What only a regular expression has."""
_HOLDS_VALUE = frozenset(
    """value values content default defaultvalue secret password passwd pass pwd token key apikey
    data stringdata text val plain plaintext raw current literal string hash auth
    credential""".split()
)
_ENTRY = lazy(r"[\"'`]\s{0,4}(?::|=>)\s{0,4}(?:[\"'`\[{]|(?:true|false|null)\b)")
_ELEMENT = lazy(
    r"[^\"'=]{0,40}(?:\"[^\"'=]{0,20})?<\w+\s(?:[^<>]{0,80}\s)?([\w-]{1,40})=\\{0,3}[\"']\Z"
)
"""`Change password <b class="`: an attribute of an element behind the name."""
_STEP = lazy(r"\([\"']\Z")
_MORE = lazy(r"[\"'],\s")
_ASKED = lazy(r"(?i)(?<!un)encrypted|^is_|^is(?=[A-Z])")
"""`app_passwd('details', $id)`: what a call is to do; names of what is asked or encrypted."""
_NEGATED = lazy(r"!{1,2}[a-z][A-Za-z]*")
"""`pass = !received`."""
_APPLIED = lazy(r"[A-Z]\w*(?:\.[A-Za-z]\w*)+")
"""`secret = B64.decode "…"`: a function that is given a string."""
_CODE_WORDS = frozenset("await yield new typeof lambda function async return delete void".split())
_DESCRIBING = lazy(
    r"(?i)(?:scheme|schema|back_?end|algo|algorithms?|primitive|gen|hashing|driver|engine|plugin|handlers?|issuer|audience"
    r"|library|module|connector|adapter|mapper|command|program|tool|syntax|charset|encoding)s?$"
)
_ALGORITHM = lazy(r"(?:[a-z]{2,10}\d{1,4}){1,4}")
_PUBLISHED = lazy(r"(?i)public|sha-?\d|fingerprint|thumbprint|checksum|digest|issuer|audience")
_BY_NAME = lazy(
    r"(?i)hashed_secret\Z|(?-i:(?:[a-z]+_)+salt\Z)|consumer_?key\Z|(?:temporary|token|client)_credential_key\Z"
    r"|(?:proxy|fastcgi|uwsgi|scgi|grpc|memcached)_pass\Z|_slot\Z|[_-]identifier\Z"
)
"""What reports of scanners tell values by, a record's salt, ids of consumers, to what nginx hands
requests on, places in the storage of a contract, names of credentials; a salt in capitals is
the key of a whole application."""
_SECRET = lazy(r"(?i)secret|private|passw|pwd|credential")
_ALLOWED = lazy(r"(?i)(?:allowed|trusted|accepted|authorized|known)[\w-]{0,30}keys?\Z")
"""`AllowedSigningKeys`: what others are held against is public."""
_SAID = lazy(
    r"(?i)in_?valid|not_?-?valid|\bvalid\b|example|sample|dummy|change_?-?me|placeholder|fake"
)
_SIGNED = lazy(r"[\w-]{4,40}:[0-9a-f]{64}")
"""`"auth": "key:signature"`: what lets somebody into a channel of Pusher, once."""
_OF_CHALLENGE = lazy(r"(?:realm|error\w*|scope|resource_metadata|authorization_uri)=")
"""`Bearer realm="`: what a server asks for."""
_SHOWN = lazy(r"EXAMPLE")  # as AWS marks the keys of its manuals
_WHEN = lazy(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.Zz+-]{0,20})?")
_FOREIGN = lazy(r"(?i)\\u(?!00[0-7])[0-9a-f]{4}")
"""Letters of other languages, as JSON may write them."""
_PLAIN = lazy(r"[A-Z]?[a-z]+[.,;:!?]{0,2}")
_LONG, _ODD = 80, 0.3
_MADE = 16  # signs, from which on a machine may have made a value


def elsewhere(candidate: Candidate) -> bool:
    """Say whether a value is likely to belong to something else than the secret of that name."""
    name, value = candidate.name, candidate.value
    if candidate.kind == "header":
        return bool(_SAID.search(value) or _PLAIN.fullmatch(value) or _OF_CHALLENGE.match(value))
    if candidate.kind != "assignment":
        return False
    if (
        _published(name)
        or _ASKED.search(name)
        or (_described(name) and (len(value) < _MADE or _ALGORITHM.fullmatch(value)))
    ):
        return True
    if (not candidate.quote and _is_called(candidate)) or _begins_with_name(candidate):
        return True
    if (
        _FOREIGN.search(value)
        or _WHEN.fullmatch(value)
        or says_what_it_is(value)
        or _SHOWN.search(value)
        or _of_a_table(value)
        or _EXPRESSION.search(value)
        or _LETTERS.fullmatch(value)
        or (candidate.quote and _BETWEEN.fullmatch(value))
        or (name.lower() == "auth" and _SIGNED.fullmatch(value))
        or any(shape.fullmatch(value) for shape in _OF_CODE)
    ):
        return True
    return (
        belongs_beside(candidate)
        or _of_another(candidate)
        or _in_words(candidate)
        or _hashed(candidate)
    )


def _begins_with_name(candidate: Candidate) -> bool:
    """Say whether a value begins with its own name in capitals: `aws_secret: AWSSECRETYkkD…`."""
    parts = candidate.name.upper().replace("-", "_").split("_")
    return len(parts) > 1 and candidate.value.startswith("".join(parts))


def _is_called(candidate: Candidate) -> bool:
    """Say whether a bare value is a word of code, or a function that is given a string."""
    if candidate.value in _CODE_WORDS:
        return candidate.after[:1] == " "
    return candidate.after[:2] == ' "' and _APPLIED.fullmatch(candidate.value) is not None


def _of_another(candidate: Candidate) -> bool:
    gap = gap_of(candidate)
    at = candidate.before.rfind(candidate.name) if candidate.name else 0
    if at > 0 and candidate.before[at - 1] == "=":
        return True  # the name is a value itself: `action=pass:repeat=0`
    if gap == ":" and _is_symbol(candidate, at):
        return True
    if not candidate.quote:  # a symbol, `pass :strict`, a constant of a class, `= !done`
        symbol = gap == " :" and candidate.value.isalpha()
        negated = gap[-1:] == " " and _NEGATED.fullmatch(candidate.value) is not None
        return symbol or negated or (gap + candidate.value).startswith("::")
    found = (shape.fullmatch(gap) for shape in (_ELEMENT, _OWN_KEY, _ATTRIBUTE, _NEXT_KEY))
    own = next(filter(None, found), None)
    if own is not None and own[1].lower() not in _HOLDS_VALUE:
        return True
    if _ALTERNATIVE.fullmatch(gap) or _is_step(candidate, gap):
        return True
    entry = "?" not in gap and ("[" in gap or "{" in gap)
    return entry and _ENTRY.match(candidate.after) is not None  # it is a key itself


def _is_step(candidate: Candidate, gap: str) -> bool:
    """Say whether a word tells a call of that name what to do: `reset_password('issue', $user)`."""
    called = _STEP.fullmatch(gap) is not None
    return called and candidate.value.isalpha() and _MORE.match(candidate.after) is not None


def _is_symbol(candidate: Candidate, at: int) -> bool:
    """Say whether name and value are one name in quotes: `"passwd:dir"`."""
    quote = candidate.before[at - 1 : at]
    return quote in ("'", '"') and candidate.after[:1] == quote and candidate.value.isalpha()


def _in_words(candidate: Candidate) -> bool:
    """Say whether a sentence speaks of the value: `password: option 'algorithm' must be set`."""
    gap = gap_of(candidate)
    if _SUCH_AS.search(gap):
        return True
    return _TOLD.fullmatch(gap) is not None and _VERB.match(candidate.after) is not None


def _hashed(candidate: Candidate) -> bool:
    """Say whether a call hashes another value, with this one: `ssha("password", "salt")`."""
    if "," not in gap_of(candidate):
        return False
    at = candidate.before.rfind("(")
    return at > 0 and _HASHES.search(candidate.before[:at]) is not None


@lru_cache(maxsize=4096)
def _published(name: str) -> bool:
    """Say whether a name is one of what is shown to all, or checks something."""
    if _ALLOWED.search(name) or _BY_NAME.search(name):
        return True
    return _PUBLISHED.search(name) is not None and _SECRET.search(name) is None


@lru_cache(maxsize=4096)
def _described(name: str) -> bool:
    """Say whether a name is one of what makes, keeps or checks secrets."""
    return _DESCRIBING.search(name) is not None


def _of_a_table(value: str) -> bool:
    """Say whether a value is long and full of signs, as the tables of parsers are."""
    if len(value) < _LONG:
        return False
    return sum(not sign.isalnum() for sign in value) > _ODD * len(value)
