"""From settings to open streams: a source, and the format of its lines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from keywatch.config import Settings
from keywatch.config_streams import SourceSettings
from keywatch.making import Making, made, position_of
from keywatch.pipeline import Outcome
from streams import formats
from streams.addresses import NO_PROXIES, Proxies
from streams.chunk import Source
from streams.parsed import Format
from vocabulary.errors import FormatError


def proxies_of(settings: Settings) -> Proxies:
    """Return the proxies of all sources: those of a log that is named on the command line."""
    return Proxies.of(proxy for one in settings.sources for proxy in one.trusted_proxies)


@dataclass(slots=True)
class Stream:
    """An open source, how its lines are read, and how that went so far.

    Attributes:
        format: of access events; None for a topic of repository events.
        proxies: whose X-Forwarded-For is believed.
        letters: source of the first dead letter of all.
        stale: whether it has to be opened again before it is read on.
    """

    source: Source
    format: Format | None
    proxies: Proxies = NO_PROXIES
    lines: int = 0
    events: int = 0
    reason: str = ""
    stale: bool = False
    letters: str = ""

    def note(self, outcome: Outcome) -> None:
        """Add what a chunk came to."""
        self.lines += outcome.lines
        self.events += outcome.events
        self.reason = self.reason or (outcome.rejected[0][1] if outcome.rejected else "")

    @property
    def foreign(self) -> str:
        """Why the lines are of another format, when not one of them was an event; else empty."""
        if self.format is None or not self.lines or self.events or not self.reason:
            return ""
        return f"none of {self.lines} lines is {self.format.name}: {self.reason}"

    @property
    def remedy(self) -> str:
        """What to do about it: the lines are kept."""
        found = "name another --format; `keywatch doctor --access-log FILE` finds it"
        if not self.letters:
            return found
        return f"{found}; then: keywatch deadletters replay --source {self.letters}"


def refuse_foreign(stream: Stream) -> None:
    """Refuse a source that was read to its end and held no event.

    Raises:
        FormatError: when its lines are of another format.
    """
    if stream.foreign:
        raise FormatError(
            stream.foreign,
            where=stream.source.name,
            remedy=stream.remedy,
        )


def sources_of(settings: Settings) -> tuple[SourceSettings, ...]:
    """Return the configured sources, and the gateway's events, which need no entry of their own."""
    path = settings.gateway.events
    if not path or any(one.type == "file" and one.path == path for one in settings.sources):
        return settings.sources
    return (*settings.sources, SourceSettings(path=path, format="keywatch-json"))


_ENDLESS = {"http", "syslog"}


@contextmanager
def opened(
    engine: Engine, settings: Sequence[SourceSettings], *, once: bool, tell: Callable[[str], None]
) -> Iterator[list[Stream]]:
    """Open every source where its last commit left it; close them in the end.

    Raises:
        ConfigError: when an entry lacks what its type needs.
        TargetError: when a file cannot be read.
        ServiceError: when an address cannot be had.
    """
    with ExitStack() as stack:
        streams = []
        for number, one in enumerate(settings):
            if once and one.type in _ENDLESS:
                tell(f"sources[{number}]: {one.type} has no end; left out with --once")
                continue
            access = one.events == "access"
            log_format = formats.shaped(one.format, one.shape) if access else None
            if log_format and one.lateness_s:
                log_format = replace(log_format, lateness_s=one.lateness_s)
            source = made(Making(engine, one, once, tell, f"sources[{number}]", stack))
            stack.callback(source.close)
            reopen(engine, source)
            streams.append(Stream(source, log_format, Proxies.of(one.trusted_proxies)))
        yield streams


def reopen(engine: Engine, source: Source) -> None:
    """Open a source where its last commit left it."""
    source.open(position_of(engine, source.name))
