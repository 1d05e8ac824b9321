"""Accesses without the secrets that others may have written into them.

Not lines are looked through but what others chose of them, and that once: of many requests most
have method, agent, address and path in common. What else is in a line is ours.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from gateway.access import Access
from vocabulary.credential import Cleaner, Exposure

_MOST, _LONGEST = 8192, 512
_ENCODING = ("utf-8", "surrogatepass")


class Cleaned:
    """Cleans accesses; one thread at a time.

    Args:
        clean: replaces secrets in texts.
    """

    def __init__(self, clean: Cleaner) -> None:
        self._clean = clean
        self._harmless: set[bytes] = set()

    def of(self, accesses: Sequence[Access]) -> Iterator[tuple[Access, Sequence[Exposure]]]:
        """Yield each without secrets, and what stood in it."""
        places: dict[bytes, int] = {}
        for one in accesses:
            for text in _foreign(one):
                if text not in self._harmless:
                    places.setdefault(text, len(places))
        if not places:
            yield from ((one, ()) for one in accesses)
            return
        texts = [*places]
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
        for one in accesses:
            yield _replaced(one, changed) if changed else (one, ())

    def _remember(self, texts: Iterator[bytes]) -> None:
        """Note that these hold no secret; what somebody invents must not fill memory."""
        if len(self._harmless) > _MOST:
            self._harmless.clear()
        self._harmless.update(text for text in texts if len(text) <= _LONGEST)


def _foreign(access: Access) -> list[bytes]:
    """Return what others chose of an access; a registered key's id is ours."""
    found = [access.target, access.agent, access.method.encode(*_ENCODING)]
    found.append(access.ip.encode(*_ENCODING))
    if access.is_given:
        found.append(access.request_id.encode(*_ENCODING))
    if ":" in access.key_id:
        found.append(access.key_id.encode(*_ENCODING))
    return found


def _replaced(
    access: Access, changed: dict[bytes, tuple[bytes, list[Exposure]]]
) -> tuple[Access, Sequence[Exposure]]:
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
