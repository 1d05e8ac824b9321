"""From an entry of the configuration to the source that it describes."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import Engine

from database.transaction import reading, transaction
from keywatch.config_streams import SourceSettings
from streams import checkpoint, formats
from streams.chunk import Source
from vocabulary.errors import ConfigError

if TYPE_CHECKING:
    from streams.listing import Folder

# Each function imports what it makes: only what is used is loaded.
# ruff: noqa: PLC0415


@dataclass(frozen=True, slots=True)
class Making:
    """What a source is made of, and where it stands in the configuration.

    Attributes:
        once: read what there is and be done.
        stack: ends what runs beside the source, after the source was closed.
    """

    engine: Engine
    entry: SourceSettings
    once: bool
    tell: Callable[[str], None]
    where: str
    stack: ExitStack

    def need(self, *names: str) -> None:
        """Refuse an entry without the settings that its type needs.

        Raises:
            ConfigError: which one is missing.
        """
        for name in names:
            if not getattr(self.entry, name):
                raise ConfigError(
                    f"a source of type {self.entry.type} needs `{name}`", where=self.where
                )


def made(making: Making) -> Source:
    """Make the source; it is not open yet."""
    return _MAKERS[making.entry.type](making)


def position_of(engine: Engine, name: str) -> checkpoint.Position | None:
    """Return the committed position of a source."""
    with reading(engine) as connection:
        found = checkpoint.load(connection, name)
    return found and checkpoint.bare(found)


def _begin(engine: Engine, name: str, position: checkpoint.Position) -> None:
    """Commit from where a file is followed, before anything of it is."""
    with transaction(engine) as connection:
        checkpoint.save(connection, name, position, time.time())


def _file(making: Making) -> Source:
    from streams.sources.file import FileSource
    from streams.sources.globbed import GlobSource, is_pattern

    making.need("path")
    path, begun = making.entry.path, partial(_begin, making.engine)
    if not is_pattern(path):
        return FileSource(path, follow=not making.once, tell=making.tell, begun=begun)
    return GlobSource(
        path,
        follow=not making.once,
        positions=partial(position_of, making.engine),
        tell=making.tell,
        begun=begun,
    )


def _stdin(making: Making) -> Source:
    from streams.sources.stdin import StdinSource

    del making
    return StdinSource()


def _kafka(making: Making) -> Source:
    from streams.sources.kafka import KafkaSource

    making.need("topic", "brokers")
    entry = making.entry
    return KafkaSource(
        entry.topic,
        brokers=entry.brokers,
        # Members that read different topics would wait for one another's assignments.
        group=f"{entry.group}-{entry.topic}",
        positions=partial(position_of, making.engine),
        once=making.once,
        options=_kafka_options(making),
        tell=making.tell,
    )


def _kafka_options(making: Making) -> dict[str, str]:
    from streams.kafka_options import security

    entry = making.entry
    options = security(entry.options, f"{making.where}.options")
    if entry.instance:
        # A member that comes back by its name within the session is no reason to share out anew.
        options["group_instance_id"] = f"{entry.instance}-{entry.topic}"
    return options


def _http(making: Making) -> Source:
    from keywatch.doorkeeper import Doorkeeper
    from keywatch.intake import serving
    from streams.sources.http import PATH, HttpSource, app

    making.need("listen", "tokens")
    host, port = _address(making, "http")
    source = HttpSource(making.entry.listen, partial(_delivered, making.engine))
    keeper = Doorkeeper(making.engine, "events")
    making.stack.enter_context(keeper.writing(making.tell))
    answering = app(source, making.entry.tokens, note_known=keeper.note_known)
    bound = making.stack.enter_context(serving(keeper, answering, host, port))
    making.tell(f"taking in events on http://{host}:{bound}{PATH}")
    return source


def _syslog(making: Making) -> Source:
    from streams.sources.syslog import SyslogSource

    making.need("listen")
    scheme = urlsplit(making.entry.listen).scheme
    if scheme not in {"udp", "tcp"}:
        raise ConfigError(
            "neither udp:// nor tcp://",
            where=f"{making.where}.listen",
            remedy="udp://127.0.0.1:5514",
        )
    host, port = _address(making, scheme)
    return SyslogSource(scheme, host, port, tell=making.tell)


def _objects(making: Making) -> Source:
    from streams.objectmemory import ObjectMemory
    from streams.sources.directory import Directory
    from streams.sources.objects import ObjectSource

    making.need("path")
    entry = making.entry
    folder: Folder
    if entry.path.startswith("s3://"):
        from streams.sources.bucket import Bucket

        folder = Bucket(entry.path, entry.region, entry.endpoint, entry.suffix)
    else:
        folder = Directory(Path(entry.path), entry.suffix)
    return ObjectSource(
        folder,
        ObjectMemory(making.engine, folder.name),
        unfold=formats.find(entry.format).unfold,
        once=making.once,
        tell=making.tell,
    )


def _address(making: Making, scheme: str) -> tuple[str, int]:
    listen = making.entry.listen
    parts = urlsplit(listen if "://" in listen else f"{scheme}://{listen}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None:
        raise ConfigError("no host:port", where=f"{making.where}.listen", remedy="127.0.0.1:8791")
    return host, port


def _delivered(engine: Engine, keys: Sequence[str]) -> dict[str, str]:
    with reading(engine) as connection:
        return checkpoint.delivered(connection, keys)


_MAKERS: dict[str, Callable[[Making], Source]] = {
    "file": _file,
    "stdin": _stdin,
    "kafka": _kafka,
    "http": _http,
    "syslog": _syslog,
    "objects": _objects,
}
