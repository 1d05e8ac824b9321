"""What a match is: a secret by its format, or a candidate that the classifier weighs."""

import msgspec

from scanner.candidate import Candidate, candidate_of, closed, kind_of, named
from scanner.classify import WEIGHED, possible
from scanner.entropy import shannon
from scanner.lazy import lazy
from scanner.placeholder import in_code, in_data, invented, template
from scanner.rule import CONTEXT, Rule
from scanner.saying import says_what_it_is
from scanner.shape import UUID
from scanner.tokenform import lets_nobody_in
from scanner.wording import IDENTITY
from vocabulary.finding import Confidence

_TOKEN = 200  # longer secrets (keys in PEM) may well repeat characters
_PICTURE = lazy(
    rb"(?i)\.(?:png|jpe?g|gif|svg|webp|bmp)\?"
    rb"(?!(?:[\w=.%:+-]*&)*(?:sr=[^b]|ss=|sp=r\w))[\w=&.%:+-]{0,400}"
    rb"&(?:sig|signature|x-amz-\w{4,20})=\Z"
)
"""A signature for one blob to read; that of a container (`sr=c`) opens more than the picture."""
_ADDRESS = 420
_MARKED = b"EXAMPLE"  # how AWS marks long tokens in its manuals

Span = tuple[int, int]


class Confirmed(msgspec.Struct, frozen=True):
    """A secret within a piece of text; positions count from the piece's beginning."""

    match_start: int
    match_end: int
    start: int
    end: int
    confidence: Confidence
    checksum: str
    reasons: tuple[str, ...]
    label: str
    candidate: Candidate | None = None


def judged(rule: Rule, piece: bytes, span: Span, name: Span | None) -> Confirmed | None:
    """Say what a match is worth, as far as that shows before its file is known.

    Args:
        rule: that matched.
        piece: of the text.
        span: of the secret within it.
        name: of what it is assigned to, where the pattern says so.

    Returns:
        None for what is no secret.
    """
    if rule.provider in WEIGHED:
        return _weighed(rule, piece, span, name)
    return _by_format(rule, piece, span)


def _weighed(rule: Rule, piece: bytes, span: Span, name: Span | None) -> Confirmed | None:
    """Let the classifier say whether a value of no known format is worth a second look."""
    span = closed(piece, span)
    if rule.entropy and shannon(piece[span[0] : span[1]]) < rule.entropy:
        return None
    candidate = candidate_of(kind_of(rule.id, rule.provider), piece, span, name)
    candidate = named(candidate, rule.id)
    score = possible(candidate, known_place=rule.confidence == Confidence.HIGH)
    if score is None:
        return None
    confidence = score.confidence or Confidence.LOW
    return Confirmed(0, 0, *span, confidence, "none", score.reasons, candidate.name, candidate)


def _by_format(rule: Rule, piece: bytes, span: Span) -> Confirmed | None:
    secret = piece[span[0] : span[1]]
    if rule.entropy and shannon(secret) < rule.entropy:
        return None
    placed = rule.provider == CONTEXT  # whatever people make up may be a password
    if not placed and len(secret) <= _TOKEN and (template(secret) or invented(secret)):
        return None
    if len(secret) > _TOKEN and _MARKED in secret and not secret.startswith(b"-----"):
        return None
    confidence, proof, reasons = _proven(rule, secret)
    name = assigned(piece, span)
    said = (rule.chosen and _is_said(secret)) or (_is_uuid(secret) and IDENTITY.search(name))
    if said or _is_public(rule, piece, span):
        confidence = Confidence.LOW
    if proof != "valid" and not placed and (in_code(piece, span) or in_data(piece, span)):
        return None
    return Confirmed(0, 0, *span, confidence, proof, reasons, name)


def _proven(rule: Rule, secret: bytes) -> tuple[Confidence, str, tuple[str, ...]]:
    reasons = (f"has the format of a {rule.name}",)
    if not rule.checksum:
        return Confidence(rule.confidence), "none", reasons
    from scanner import checksum  # noqa: PLC0415  (few matches have one)

    if checksum.check(rule.checksum, secret.decode("latin-1")):
        return Confidence.HIGH, "valid", (*reasons, "its checksum is valid")
    return Confidence.LOW, "invalid", (*reasons, "but its checksum is wrong")


def _is_public(rule: Rule, piece: bytes, span: Span) -> bool:
    """Say whether a token lets nobody in, or signs the address of one picture."""
    if rule.checksum == "jwt" and lets_nobody_in(piece[slice(*span)].decode("latin-1")):
        return True
    return _PICTURE.search(piece[max(0, span[0] - _ADDRESS) : span[0]]) is not None


def _is_said(secret: bytes) -> bool:
    """Say whether a password is words for one: `user1_password`."""
    return b"pass" in secret.lower() and says_what_it_is(secret.decode("utf-8", "replace"))


def _is_uuid(secret: bytes) -> bool:
    return UUID.fullmatch(secret.decode("latin-1")) is not None


_ASSIGNS = (
    rb"[\"'`\]]{0,2}[ \t]{0,8}(?:=>|:=|[:=,(]|\bis\b)?[=>]{0,2}[ \t(\[]{0,4}[bruf@]{0,2}[\"'`]{0,3}"
)
_NAME = lazy(rb"([A-Za-z_][\w.\-\[\]]{0,80})" + _ASSIGNS + rb"\Z")
_BETWEEN = lazy(_ASSIGNS)
_OF_NAMES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-[]"
_LONGEST_BETWEEN, _LONGEST_NAME = 23, 81


def assigned(piece: bytes, span: Span) -> str:
    """Return the name that a value is assigned to; nothing where there is none."""
    line = piece.rfind(b"\n", 0, span[0]) + 1
    return _named(piece[max(line, span[0] - 120) : span[0]]).decode("latin-1")


def _named(head: bytes) -> bytes:
    """Return the name at the end of what stands before a value, which assigns it; else nothing.

    To try every beginning of every name costs more than all else that is done to a match. A name
    ends where what follows may stand between it and the value, so that is looked for first.
    """
    size = len(head)
    ends = range(max(0, size - _LONGEST_BETWEEN), size + 1)
    end = next((at for at in ends if _BETWEEN.fullmatch(head, at)), None)
    if end is None:
        return b""
    begin = max(len(head[:end].rstrip(_OF_NAMES)), end - _LONGEST_NAME)
    found = _NAME.search(head, begin)
    return found[1] if found else b""
