"""Values that say what should stand there: `mypassword`, `change-this`, `newPassword123`.

A password that is only weak, as `postgres123`, says nothing of the kind.
"""

from unicodedata import combining, normalize

from scanner.lazy import lazy
from scanner.shape import decoded

_WORDS_FOR = lazy(
    r"(?i)[a-z_ -]*(?:\d{1,2}[_-])?"
    r"(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key)[a-z_ -]*\n?"
    r"|client[_ -]?secret[_-]?\d{0,3}|replace|literal|irrelevant"
)
_NUMBERED = lazy(
    r"(?i)(?:a|my|your|the|some|any|new|old|test|current|wrong|bad|strong|secure|sample|example)"
    r"[_ -]?"
    r"(?:passw(?:or)?d|pass|pwd|passphrase|secret|token|api[_-]?key)[_-]?\d{0,4}[!@#.]?"
)
_CHANGE = lazy(
    r"(?i)(?:change|replace)[_ -]?(?:this|me|it)(?:[_ -]?(?:please|now|later))?[_-]?\d{0,4}[!@#.]?"
)
_PRAISED = lazy(
    r"(?i)[a-z_ -]{0,40}(?:super|really|very|strong|secure)[a-z_ -]{0,20}"
    r"(?:passw(?:or)?d|secret)[a-z_ -]{0,20}\d{0,4}[!@#.]?"
)
_SECURE = lazy(
    r"(?i)(?:(?:super|very|really|so|more|not|in|un)[_ -]?){0,3}secure[_-]?\d{0,4}[!@#.]?"
)
"""`supersecure`, `insecure`: what a password should be, or is."""
_REPEATED = lazy(r"(?i)([a-z]{3,12})\1{2,}[a-z]{0,40}\d{0,4}")
_TAKEN_OUT = lazy(r"(?i)\W{0,3}(?:scrubbed|redacted|censored|sanitized|obfuscated)\W{0,3}")
_MINE = lazy(r"(?i)(?:my|your)")
"""`MyS3cret`: what people call what they mean to choose."""
_DUMMY = lazy(r"(?i)dummy[a-z _-]*\d{0,4}")
_VALUE_OF = lazy(r"(?i)(?:[a-z]+\d{0,2})?(?:token|secret|passw(?:or)?d|key)[_-]?value\d{0,3}")
_SENTENCE = lazy(r"[a-z]+(?:[_ -][a-z]+){3,}")
_IN_SIGNS = lazy(r"(?i)[a-z]{0,10}(?:(?:secret|sekrit)[!.]?|passw(?:or)?d)")
_SIGNS = str.maketrans("013457", "oieast")
_SHAPES = (
    _VALUE_OF, _WORDS_FOR, _NUMBERED, _CHANGE, _PRAISED, _SECURE, _REPEATED, _TAKEN_OUT, _DUMMY,
)  # fmt: skip
_TONGUES = frozenset(
    """contraseña contrasena clave senha passwort kennwort parola parole salasana lösenord losenord
    adgangskode passord wachtwoord hasło haslo heslo jelszó jelszo şifre sifre šifra sifra parool
    slaptažodis slaptazodis lozinka zaporka geslo fjalëkalimi fjalekalimi contrasenya contrasinal
    pasahitza cyfrinair lykilorð motdepasse sandi""".split()
)
"""The word for a password in other languages, as texts of a program have it."""
_PARTS = lazy(r"[^\W\d_]+")
_LONG = 80
_FILLED = 10


def says_what_it_is(value: str) -> bool:
    """Say whether a value is words for a secret, also in base64."""
    plain = value if value.isascii() else _unaccented(value)
    if any(shape.fullmatch(plain) for shape in _SHAPES):
        return True
    if not any(map(str.isdigit, value)) and _TONGUES & set(_PARTS.findall(value.lower())):
        return True
    if _MINE.match(plain) and _WORDS_FOR.fullmatch(plain.translate(_SIGNS)):
        return True
    if len(value) > _LONG or len(value) % 4:
        return False
    text = decoded(value)
    if _is_one_sign(text) or _is_one_sign(decoded(text)):
        return True
    return any(shape.fullmatch(text) for shape in (_WORDS_FOR, _REPEATED, _DUMMY, _SENTENCE))


def says_it_in_signs(value: str) -> bool:
    """Say whether a value is the word for it, with digits for letters: `s3cr3t`, also in base64."""
    return any(_IN_SIGNS.fullmatch(one.translate(_SIGNS)) for one in (value, decoded(value)))


def _unaccented(value: str) -> str:
    """Return a value without the marks of its letters: `pǻssword` says what it is, too."""
    return "".join(sign for sign in normalize("NFKD", value) if not combining(sign))


def _is_one_sign(text: str) -> bool:
    """Say whether a text is one character again and again, as what fills a field."""
    return len(text) >= _FILLED and len(set(text.rstrip("\n"))) == 1
