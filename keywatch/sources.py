"""From settings to open streams: a source, and the format of its lines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine

from database.transaction import reading
from keywatch.config import Settings
from keywatch.config_streams import SourceSettings
from keywatch.pipeline import Outcome
from streams import checkpoint, formats
from streams.addresses import NO_PROXIES, Proxies
from streams.chunk import Source
from streams.parsed import Format
from vocabulary.errors import ConfigError, FormatError


@dataclass(slots=True)
class Stream:
    """An open source, how its lines are read, and how that went so far.

    Attributes:
        format: of access events; None for a topic of repository events.
        proxies: whose X-Forwarded-For is believed.
    """

    source: Source
    format: Format | None
    proxies: Proxies = NO_PROXIES
    lines: int = 0
    events: int = 0
    reason: str = ""

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


def refuse_foreign(stream: Stream) -> None:
    """Refuse a source that was read to its end and held no event.

    Raises:
        FormatError: when its lines are of another format.
    """
    if stream.foreign:
        raise FormatError(
            stream.foreign,
            where=stream.source.name,
            remedy="name another --format; `keywatch doctor --access-log FILE` finds it",
        )


def sources_of(settings: Settings) -> tuple[SourceSettings, ...]:
    """Return the configured sources, and the gateway's events, which need no entry of their own."""
    path = settings.gateway.events
    if not path or any(one.type == "file" and one.path == path for one in settings.sources):
        return settings.sources
    return (*settings.sources, SourceSettings(path=path, format="keywatch-json"))


@contextmanager
def opened(
    engine: Engine, settings: Sequence[SourceSettings], *, once: bool, tell: Callable[[str], None]
) -> Iterator[list[Stream]]:
    """Open every source where its last commit left it; close them in the end.

    Raises:
        ConfigError: when an entry lacks what its type needs.
        TargetError: when a file cannot be read.
    """
    with ExitStack() as stack:
        streams = []
        for number, one in enumerate(settings):
            source = _made(engine, one, once=once, tell=tell, where=f"sources[{number}]")
            stack.callback(source.close)
            reopen(engine, source)
            log_format = (
                None if one.events == "repository" else formats.shaped(one.format, one.shape)
            )
            streams.append(Stream(source, log_format, Proxies.of(one.trusted_proxies)))
        yield streams


def reopen(engine: Engine, source: Source) -> None:
    """Open a source where its last commit left it."""
    source.open(_position(engine, source.name))


def _position(engine: Engine, name: str) -> checkpoint.Position | None:
    with reading(engine) as connection:
        found = checkpoint.load(connection, name)
    # The header is the pipeline's, which reads it itself.
    return found and {name: value for name, value in found.items() if name != "header"}


def _made(
    engine: Engine, one: SourceSettings, *, once: bool, tell: Callable[[str], None], where: str
) -> Source:
    """Make the source that an entry describes; it is not open yet."""
    if one.type == "stdin":
        from streams.sources.stdin import StdinSource  # noqa: PLC0415  (only what is used)

        return StdinSource()
    if one.type == "kafka":
        from streams.sources.kafka import KafkaSource  # noqa: PLC0415  (an optional package)

        if not one.topic or not one.brokers:
            raise ConfigError("a Kafka source needs `topic` and `brokers`", where=where)
        return KafkaSource(
            one.topic,
            brokers=one.brokers,
            # Members that read different topics would wait for one another's assignments.
            group=f"{one.group}-{one.topic}",
            positions=partial(_position, engine),
            once=once,
            tell=tell,
        )
    from streams.sources.file import FileSource  # noqa: PLC0415  (only what is used)

    if not one.path:
        raise ConfigError("a file source needs `path`", where=where)
    return FileSource(one.path, follow=not once, tell=tell)
