"""Going back to a backup without anybody being served what they remember from before."""

from pathlib import Path

from sqlalchemy import Engine

from database.backup import copy, file_of, problems, unfinished
from database.engine import engine_of, told
from database.transaction import reading, revision, transaction, upgrade
from keystore import audit, feed
from vocabulary.errors import DatabaseError

_MARGIN = 1000
"""Changes that may still come in while a backup is put in place."""


def restore_backup(engine: Engine, file: Path, *, actor: str, reason: str, now: float) -> None:
    """Put the backup `file` in the place of the database behind `engine`, all or nothing.

    The feed goes on beyond the numbers that were given out, with a change of everything, so that
    followers forget what they hold. The audit log goes on from the backup's.

    Raises:
        UsageError: when the database is no SQLite file.
        DatabaseError: when the backup is not one of ours, is newer or damaged, or the database
            is locked; then nothing is changed.
    """
    target = file_of(engine)
    with unfinished(target) as part:
        copy(file, part)
        copied = engine_of(f"sqlite:///{part}", create=False)
        try:
            _prove(copied, file)
            with transaction(copied) as connection:
                entry = audit.Entry(now, actor, "restore_backup", "database", reason)
                audit.append(connection, [entry])
                feed.record(connection, [feed.EVERYTHING], now, beyond=_head(engine) + _MARGIN)
        finally:
            copied.dispose()
        copy(part, target)


def _prove(copied: Engine, file: Path) -> None:
    """Make sure that the copy of `file` is a whole database of ours, of the newest schema."""
    with told(str(file)):
        wrong = problems(copied)
        if wrong:
            raise DatabaseError(f"the backup is damaged: {wrong[0]}", where=str(file))
        upgrade(copied, str(file))


def _head(engine: Engine) -> int:
    """Return the newest number that a follower may have seen."""
    if not revision(engine, str(file_of(engine))):
        return 0
    with reading(engine) as connection:
        return feed.head(connection)
