"""What stands between a name and a value: an assignment, a comparison or a sentence."""

from scanner.candidate import Candidate
from scanner.lazy import lazy

_OPERATOR = lazy(r"[:=>(\[{|]|<-")
_WORDS = lazy(r"[A-Za-z]{2,}")
_SENTENCE = lazy(r"[\"'`][A-Z][\w'-]* (?:[\w'-]+ ){1,12}\Z")
_JOINS = frozenset(
    """to for of in as with by at from on are must should will when that has not may can if than
    into per via was were be been using between before after handling and or needs until
    du de des le la les del della do dos das el los der die den dem von het een van""".split()
)
_ANOTHER = lazy(r"(?:\b(?:and|or)\b|&&|\|\|)\s*[A-Za-z_(!]|\)\s*\?")
_TAG = lazy(r"`\w+:\"\Z|\b(?:validate|binding|json|yaml|xml|form|gorm|db):\\?[\"'`]\Z")
_COMPARED = lazy(r"[=!]==?\s*[brfu]?[\"'`]?\Z")
_QUOTED_OPERAND = lazy(r"[=!]==?\s*[\"'`]\Z")
_ASKED = lazy(
    r"(?i)(?:^|[._])(?:get|delete|del|remove|has|find|fetch|read|load|lookup|exists?|check|list|"
    r"require|request|pop|unset|clear|expect|parse|validate)(?:_?\w{0,40})\Z"
)
_LOOKED_UP = lazy(
    r"(?i)\b(?:config|conf|cfg|settings|parser|cp|env|environ)\w{0,20}\.(?:get\w{0,20}|fetch)\([^()]{0,80}[\"'`]\Z"
)
_CALLED = lazy(r"[\w.]{1,60}\Z")
_ARGUMENT = lazy(r"\(\s*[brfu]{0,2}[\"'`]?")
_QUOTES = ('"', "'", "`")
_METHOD = lazy(
    r"(?i)\.(?:encode|decode|startswith|endswith|includes?|indexof|match|split|replace|test|for|"
    r"join|format|equals|contains|strip|get|attr|prop|find|query\w*|has\w*)\Z"
)
_LAST_WORD = lazy(r"[A-Za-z][a-z]+[.!?]")
_ENDS = lazy(r"[\s`\"')*\\]|$")
_GOES_ON = lazy(r"[.,]? [a-z]{2,}(?: [a-z]{2,}|[.,;:!?]|$)")


def gap_of(candidate: Candidate) -> str:
    """Return the text between the name and the value; empty where the name is not on the line."""
    at = candidate.before.rfind(candidate.name) if candidate.name else -1
    return candidate.before[at + len(candidate.name) :] if at >= 0 else ""


def _before(candidate: Candidate, gap: str) -> str:
    """Return what stands before the name."""
    return candidate.before[: len(candidate.before) - len(gap) - len(candidate.name)]


def speaks(candidate: Candidate) -> bool:
    """Say whether name and value stand in a sentence, where nothing is assigned."""
    gap = gap_of(candidate)
    if gap[:1] in _QUOTES and gap and _SENTENCE.search(_before(candidate, gap)):
        return True  # `"This is a common password" => "common"`
    words = [word.lower() for word in _WORDS.findall(gap)]
    if words and not _OPERATOR.search(gap):
        return len(words) > 1 or words[0] in _JOINS
    if candidate.quote:
        return False
    if _LAST_WORD.fullmatch(candidate.value) and _ENDS.match(candidate.after):
        return True  # `password: likewise.`
    return gap[-1:] != "=" and goes_on(candidate)


def goes_on(candidate: Candidate) -> bool:
    """Say whether the value is a word of a sentence that goes on behind it."""
    plain = candidate.value.isalpha() and candidate.value.islower()
    return plain and _GOES_ON.match(candidate.after) is not None


def means_another(candidate: Candidate) -> bool:
    """Say whether the value belongs to something else that stands between it and the name.

    `if key and state == "absent"`, `type === "password" || tag === "textarea"`, a tag of a field of
    a struct, an argument by which a secret is asked for: `get_secret("name")`.
    """
    gap = gap_of(candidate)
    if candidate.before[-1:] in _QUOTES and any(
        shape.search(candidate.before) for shape in (_TAG, _LOOKED_UP)
    ):
        return True
    if _ANOTHER.search(gap):
        return True
    head = _before(candidate, gap)
    if gap[:1] in _QUOTES and gap and _QUOTED_OPERAND.search(head):
        return True
    at = candidate.before.rfind("(")
    if at < 1 or not _ARGUMENT.fullmatch(candidate.before, at):
        return False
    called = _CALLED.search(candidate.before[:at])
    return called is not None and bool(_ASKED.search(called[0]) or _METHOD.search(called[0]))


def compared(candidate: Candidate) -> bool:
    """Say whether the value is what something is compared with, rather than set to."""
    return _COMPARED.search(candidate.before) is not None
