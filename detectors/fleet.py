"""What only the whole fleet shows: crowds that many keys share, and one source trying many keys."""

from dataclasses import dataclass, field

import msgspec

from detectors.crowd import Crowd, CrowdState
from detectors.stuffing import Sources, SourcesState


@dataclass(slots=True)
class Fleet:
    """All that is known of the fleet as a whole."""

    crowd: Crowd = field(default_factory=Crowd)
    sources: Sources = field(default_factory=Sources)

    def packed(self) -> bytes:
        """Return the state for the database."""
        return msgspec.msgpack.encode((self.crowd.state, self.sources.state))

    @classmethod
    def unpacked(cls, data: bytes) -> "Fleet":
        """Return the fleet that `packed` packed; a new one when the bytes are of no use."""
        try:
            crowd, sources = msgspec.msgpack.decode(data, type=tuple[CrowdState, SourcesState])
        except msgspec.DecodeError:
            return cls()
        return cls(Crowd(crowd), Sources(sources))
