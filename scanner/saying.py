"""Values that say what should stand there: `mypassword`, `change-this`, `newPassword123`.

A password that is only weak, as `postgres123`, says nothing of the kind.
"""

from scanner.lazy import lazy
from scanner.shape import decoded

_WORDS_FOR = lazy(
    r"(?i)[a-z_ -]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key)[a-z_ -]*\n?"
    r"|replace|literal|irrelevant"
)
_NUMBERED = lazy(
    r"(?i)(?:a|my|your|the|some|any|new|old|test|current|wrong|bad|strong|secure|sample|example)"
    r"[_ -]?"
    r"(?:passw(?:or)?d|pass|pwd|passphrase|secret|token|api[_-]?key)[_-]?\d{0,4}[!@#.]?"
)
_CHANGE = lazy(
    r"(?i)(?:change|replace)[_ -]?(?:this|me|it)(?:[_ -](?:please|now|later))?[_-]?\d{0,4}[!@#.]?"
)
_PRAISED = lazy(
    r"(?i)[a-z_ -]{0,40}(?:super|really|very|strong|secure)[a-z_ -]{0,20}"
    r"(?:passw(?:or)?d|secret)[a-z_ -]{0,20}\d{0,4}[!@#.]?"
)
_DUMMY = lazy(r"(?i)dummy[a-z _-]*\d{0,4}")
_TONGUES = frozenset(
    """contraseña contrasena clave senha passwort kennwort parola parole salasana lösenord losenord
    adgangskode passord wachtwoord hasło haslo heslo jelszó jelszo şifre sifre šifra sifra parool
    slaptažodis slaptazodis lozinka zaporka geslo fjalëkalimi fjalekalimi contrasenya contrasinal
    pasahitza cyfrinair lykilorð motdepasse sandi""".split()
)
"""The word for a password in other languages, as texts of a program have it."""
_PARTS = lazy(r"[^\W\d_]+")
_LONG = 80


def says_what_it_is(value: str) -> bool:
    """Say whether a value is words for a secret, also in base64."""
    if any(shape.fullmatch(value) for shape in (_WORDS_FOR, _NUMBERED, _CHANGE, _PRAISED, _DUMMY)):
        return True
    if not any(map(str.isdigit, value)) and _TONGUES & set(_PARTS.findall(value.lower())):
        return True
    if len(value) > _LONG or len(value) % 4:
        return False
    text = decoded(value)
    return any(shape.fullmatch(text) for shape in (_WORDS_FOR, _DUMMY))
