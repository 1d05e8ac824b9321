"""Going back to a backup without anybody being served what they remember from before."""

from pathlib import Path
from secrets import token_hex
from tempfile import gettempdir

from sqlalchemy import Engine

from database.backup import copy, problems, unfinished
from database.copying import replace_rows
from database.engine import engine_of, place_of, sqlite_file, told
from database.transaction import HEAD, in_commit_order, reading, revision, transaction, upgrade
from keystore import audit, feed
from keystore.bells import announce
from keystore.staying import NOTHING, Staying, of, put
from vocabulary.errors import DatabaseError

_MARGIN = 1000
"""Changes that may still come in while a backup is put in place."""


def restore_backup(
    engine: Engine, file: Path, *, actor: str, reason: str, now: float, revive: bool = False
) -> int | None:
    """Put the backup `file` in the place of the database behind `engine`, all or nothing.

    The feed goes on beyond the numbers that were given out, with a change of everything, so that
    followers forget what they hold. The audit log goes on from the backup's. The database may be
    of another kind than the one that was backed up: that is how one moves to a server.

    Args:
        engine: may be of a database that is not there.
        file: from `database.backup`.
        actor: who does it.
        reason: why.
        now: epoch seconds.
        revive: whether all is as it was; else what has ended since stays so, see
            `keystore.staying`.

    Returns:
        The number of keys that stay ended, or otherwise worse off than in the backup; None when
        there was a database that could not be asked.

    Raises:
        DatabaseError: when the backup is not one of ours, is newer or damaged, or the database
            is locked; then nothing is changed.
    """
    if not file.is_file():
        raise DatabaseError(
            "there is no such file",
            where=str(file),
            remedy="name one that `keywatch db backup` wrote",
        )
    target = sqlite_file(engine)
    staying = None if revive else _staying(engine, now)
    kept: int | None = 0 if revive else None
    beside = target or Path(gettempdir()) / f"keywatch-{token_hex(8)}"
    with unfinished(beside) as part:
        copy(file, part)
        copied = engine_of(f"sqlite:///{part}", create=False)
        try:
            _prove(copied, file)
            with transaction(copied) as connection:
                entry = audit.Entry(now, actor, "restore_backup", "database", reason)
                audit.append(connection, [entry])
                feed.record(connection, [feed.EVERYTHING], now, beyond=_head(engine) + _MARGIN)
                if staying is not None:
                    kept = put(connection, staying, actor=actor, reason=reason, now=now)
            if target is None:
                _replace(engine, copied)
        finally:
            copied.dispose()
        if target is not None:
            copy(part, target)
    return kept


def _staying(engine: Engine, now: float) -> Staying | None:
    """Return what outlives the database; None when it cannot say."""
    file = sqlite_file(engine)
    if file is not None and not (file.exists() and file.stat().st_size):
        return NOTHING
    try:
        with told(place_of(engine)):
            found = revision(engine, place_of(engine))
            if not found:
                return NOTHING
            with reading(engine) as connection:
                return of(connection, now) if found == HEAD else None
    except DatabaseError:
        return None


def _replace(engine: Engine, copied: Engine) -> None:
    upgrade(engine, place_of(engine))
    with reading(copied) as rows, transaction(engine) as connection:
        in_commit_order(connection)
        replace_rows(rows, connection)
        announce(connection)


def _prove(copied: Engine, file: Path) -> None:
    """Make sure that the copy of `file` is a whole database of ours, of the newest schema."""
    with told(str(file)):
        wrong = problems(copied)
        if wrong:
            raise DatabaseError(f"the backup is damaged: {wrong[0]}", where=str(file))
        upgrade(copied, str(file))


def _head(engine: Engine) -> int:
    """Return the newest number that a follower may have seen."""
    with told(place_of(engine)):
        if not revision(engine, place_of(engine)):
            return 0
    with reading(engine) as connection:
        return feed.head(connection)
