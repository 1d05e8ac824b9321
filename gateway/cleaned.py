"""Accesses without the secrets that others may have written into them.

Not lines are looked through but what others chose of them, and that once: of many requests most
have method, agent, address and path in common. What else is in a line is ours.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from gateway.access import Access
from vocabulary.credential import Cleaner, Exposure

_MOST, _LONGEST = 8192, 512
_ENCODING = ("utf-8", "surrogatepass")

Changed = Mapping[bytes, tuple[bytes, Sequence[Exposure]]]
"""Texts that hold secrets → the same without them, and what they are."""


class Cleaned:
    """Cleans accesses; one thread at a time.

    Args:
        clean: replaces secrets in texts.
    """

    def __init__(self, clean: Cleaner) -> None:
        self._clean = clean
        self._harmless: set[bytes] = set()
        # Methods and addresses are text: encoding them would cost more than looking them up.
        self._words: set[str] = set()

    def of(self, accesses: Sequence[Access]) -> Iterator[tuple[Access, Sequence[Exposure]]]:
        """Yield each without secrets, and what stood in it."""
        changed = self.changed_in(accesses)
        return (replaced(one, changed) if changed else (one, ()) for one in accesses)

    def changed_in(self, accesses: Sequence[Access]) -> Changed:
        """Return which texts of accesses hold secrets: text → without them, and what they are."""
        texts = list(dict.fromkeys(self._unknown(accesses)))
        if not texts:
            return {}
        found, exposures = self._clean(texts)
        by_place: defaultdict[int, list[Exposure]] = defaultdict(list)
        for exposure in exposures:
            by_place[exposure.line].append(exposure)
        changed = {
            text: (new, by_place[place])
            for place, (text, new) in enumerate(zip(texts, found, strict=True))
            if new != text or place in by_place
        }
        self._remember(text for text in texts if text not in changed)
        self._words.update(
            word
            for one in accesses
            for word in (one.method, one.ip)
            if word not in self._words and word.encode(*_ENCODING) in self._harmless
        )
        return changed

    def _unknown(self, accesses: Sequence[Access]) -> Iterator[bytes]:
        """Yield the texts of which it is not known that they hold no secret."""
        harmless, words = self._harmless, self._words
        for one in accesses:
            known = one.target in harmless and one.agent in harmless
            if not (known and one.method in words and one.ip in words) or _is_named(one):
                yield from (text for text in _foreign(one) if text not in harmless)

    def _remember(self, texts: Iterator[bytes]) -> None:
        """Note that these hold no secret; what somebody invents must not fill memory."""
        if len(self._harmless) > _MOST:
            self._harmless.clear()
            self._words.clear()
        self._harmless.update(text for text in texts if len(text) <= _LONGEST)


def _is_named(access: Access) -> bool:
    """Whether somebody else gave the request's id or the name of who sent it."""
    return access.is_given or ":" in access.key_id


def _foreign(access: Access) -> list[bytes]:
    """Return what others chose of an access; a registered key's id is ours."""
    found = [access.target, access.agent, access.method.encode(*_ENCODING)]
    found.append(access.ip.encode(*_ENCODING))
    if access.is_given:
        found.append(access.request_id.encode(*_ENCODING))
    if ":" in access.key_id:
        found.append(access.key_id.encode(*_ENCODING))
    return found


def replaced(access: Access, changed: Changed) -> tuple[Access, Sequence[Exposure]]:
    """Return the access without secrets, and what stood in it.

    Args:
        access: as it came.
        changed: see `Cleaned.changed_in`.
    """
    mine = dict.fromkeys(text for text in _foreign(access) if text in changed)
    if not mine:
        return access, ()
    exposures = [exposure for text in mine for exposure in changed[text][1]]

    def text_of(text: bytes) -> bytes:
        return changed[text][0] if text in changed else text

    def word_of(word: str) -> str:
        return text_of(word.encode(*_ENCODING)).decode(*_ENCODING)

    clean = msgspec.structs.replace(
        access,
        target=text_of(access.target),
        agent=text_of(access.agent),
        method=word_of(access.method),
        ip=word_of(access.ip),
        request_id=word_of(access.request_id),
        key_id=word_of(access.key_id),
    )
    return clean, exposures
