"""Profiles that change hands: from one worker to several, and back."""

from sqlalchemy import Connection, Engine, delete, select

from database import bulk
from database.schema import profile_deltas, profiles
from database.transaction import in_commit_order, reading, transaction
from detectors.packing import pack
from detectors.profile import VERSION
from detectors.store import ProfileStore


def take_over(engine: Engine, *, shared: bool) -> None:
    """Write whole the profiles of workers that are no more, so that others can read them.

    Whoever works alone takes over from those who shared, and the other way round. It changes
    nothing where there is nothing to take over.

    Args:
        engine: the database.
        shared: whether several workers are about to share the keys.

    Raises:
        DatabaseError: nothing was changed.
    """
    with reading(engine) as connection:
        shards = connection.execute(select(profile_deltas.c.shard).distinct()).scalars().all()
    for shard in shards:
        if (shard == "") == shared:
            _make_whole(engine, str(shard))


def _make_whole(engine: Engine, shard: str) -> None:
    store = ProfileStore(engine, shard)
    store.open()
    rows = [
        (key, VERSION, store.batch, pack(key, kept))
        for key, kept in store.load(store.unwritten).items()
    ]
    mine = profile_deltas.c.shard == shard
    with transaction(engine) as connection:
        in_commit_order(connection)
        if _exists(connection, shard):  # nobody was faster
            bulk.replace(connection, profiles, rows)
            connection.execute(delete(profile_deltas).where(mine))


def _exists(connection: Connection, shard: str) -> bool:
    one = select(profile_deltas.c.batch).where(profile_deltas.c.shard == shard).limit(1)
    return connection.execute(one).first() is not None
