"""The pipelines of a watch: one, or where workers share a topic one for each partition.

A key's profile is one worker's business at a time. Where the records of a topic are keyed by key
id, all that happens to a key stands in one partition: profiles, like positions, go with it. Who
is given a partition goes on from the profiles that were committed with its position.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from keywatch.config import Settings
from keywatch.config_streams import SourceSettings
from keywatch.pipeline import Outcome, Pipeline
from streams import checkpoint
from streams.addresses import Proxies
from streams.chunk import Chunk
from streams.parsed import Format
from vocabulary.errors import ConfigError, DatabaseError

Make = Callable[[str], Pipeline]
"""Name of a partition's source, or "" → a pipeline that goes on from the last commit."""


@dataclass(slots=True)
class _Kept:
    pipeline: Pipeline
    behind: Any


class Pipelines:
    """Finds the pipeline of each chunk.

    Args:
        make: makes one.
        shared: whether other workers read partitions of the same topic.
    """

    def __init__(self, make: Make, *, shared: bool) -> None:
        self._make, self._shared = make, shared
        self._kept: dict[str, _Kept] = {}
        self._only = None if shared else make("")

    def absorb(
        self, chunk: Chunk, log_format: Format, proxies: Proxies, letters: Sequence[int] = ()
    ) -> Outcome:
        """Take in a chunk; see `Pipeline.absorb`.

        Raises:
            DatabaseError: nothing of it is committed.
        """
        if self._only is not None:
            return self._only.absorb(chunk, log_format, proxies, letters)
        kept = self._kept.pop(chunk.source, None)
        if kept is None or kept.behind != chunk.position.get("after"):
            # Never read by us, or read on by another worker meanwhile.
            kept = _Kept(self._make(chunk.source), None)
        outcome = kept.pipeline.absorb(chunk, log_format, proxies, letters)
        self._kept[chunk.source] = _Kept(kept.pipeline, checkpoint.mark(chunk.position))
        return outcome

    def of(self, source: str) -> Pipeline | None:
        """Return the pipeline that events of a source belong to; None when that is not ours."""
        if self._only is not None:
            return self._only
        kept = self._kept.get(source)
        return kept.pipeline if kept else None

    def settle(self, *, at_once: bool = False) -> None:
        """Write down the uses of keys when it is time; see `Pipeline.settle`.

        Raises:
            DatabaseError: when they could not be written; throw the pipelines away.
        """
        for pipeline in self._all():
            pipeline.settle(at_once=at_once)

    def let_go(self, ours: Collection[str]) -> None:
        """Forget what belongs to partitions that are not ours any more."""
        for source in self._kept.keys() - set(ours):
            pipeline = self._kept.pop(source).pipeline
            try:
                pipeline.settle(at_once=True)
            except DatabaseError:
                continue  # a minute of counted uses; its events are committed

    def _all(self) -> list[Pipeline]:
        return [self._only] if self._only else [kept.pipeline for kept in self._kept.values()]


def check_shared(settings: Settings, sources: Collection[SourceSettings]) -> None:
    """Refuse to share what cannot be shared.

    Raises:
        ConfigError: unless all events come from one topic: a key of two sources would have two
            profiles.
    """
    access = [one for one in sources if one.events == "access"]
    if settings.watch.shared and [one.type for one in access] != ["kafka"]:
        raise ConfigError(
            "workers can share one topic of access events, and nothing beside it",
            where="watch.shared",
            remedy="have all events sent to one topic, keyed by key id",
        )
