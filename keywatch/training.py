"""`keywatch model train`: history through the detectors, sessions gathered, a forest stored."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from detectors import forest as forests
from detectors.forest import Forest
from detectors.geoip import GeoReader
from detectors.training import Collection, grow
from detectors.watcher import Watcher
from keywatch.history import Reading, batches
from keywatch.replay import KeyList
from vocabulary.errors import TargetError


def train(
    logs: Sequence[Path],
    how: Reading,
    geo: GeoReader,
    keys: KeyList,
    output: Path,
    *,
    advance: Callable[[int], None],
    tell: Callable[[str], None],
) -> Forest:
    """Train a model of sessions on logs and write it.

    Raises:
        FormatError: when a log holds no event of the format.
        TargetError: when a log cannot be read, or the model cannot be written.
        UsageError: when there is too little history.
    """
    found = Collection()
    watcher = Watcher(None, geo, collect=found.take, clock=time.time)
    for batch in batches(logs, how, tell, advance):
        how.book.look_up(batch.keys)
        facts = how.facts(batch.keys, keys, {})
        watcher.step(batch, facts, lateness_s=how.format.lateness_s)
    model = grow(found, (how.format.name,), time.time())
    _write(output, forests.dumped(model))
    return model


def described(model: Forest) -> dict[str, object]:
    """Return what a person wants to know of a model."""
    return {
        "sha256": forests.digest_of(model),
        "made_at": model.made_at,
        "formats": list(model.formats),
        "features": list(model.features),
        "sessions": model.sessions,
        "keys": model.keys,
        "trees": len(model.trees),
    }


def _write(output: Path, data: bytes) -> None:
    """Write beside it first: a crash leaves the old model or the new one."""
    draft = output.with_name(f"{output.name}.part")
    try:
        draft.write_bytes(data)
        draft.replace(output)
    except OSError as error:
        raise TargetError(str(error.strerror).lower(), where=str(output)) from error
