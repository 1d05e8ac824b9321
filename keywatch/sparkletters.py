"""Dead letters of a Spark job, read once more by the job that they are of."""

from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from database.transaction import reading
from keywatch import shards
from keywatch.sparktelling import Tell, say
from streams import deadletter
from streams.deadletter import DeadLetter

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LETTERS_AT_ONCE = 1000
_ORDER = ("shard", "third")


class Letters:
    """Dead letters of a job, read once more by it: between its batches, never beside one.

    Args:
        session: of Spark.
        engine: the database.
        job: whose letters.
        tell: called with what a person should know.

    Attributes:
        alone: held by whoever has shards worked on.
    """

    def __init__(
        self, session: "SparkSession", engine: Engine, job: shards.Job, tell: Tell
    ) -> None:
        self._session, self._engine, self._job, self._tell = session, engine, job, tell
        self.alone = Lock()

    def read_again(self) -> None:
        """Read those that somebody asked for, by the format of today.

        Raises:
            DatabaseError: when the database is away.
        """
        with self.alone:
            while letters := self._asked_for():
                routed = self._routed(letters)
                # What addresses did goes first: a letter is gone once its event is committed.
                done = [*self._absorbed(routed.where("shard < 0"))]
                done += self._absorbed(routed.where("shard >= 0"))
                say(done, self._tell, f"{len(letters)} dead letters")

    def _routed(self, letters: Sequence[DeadLetter]) -> "DataFrame":
        rows = [(at, one.id, bytes(one.raw)) for at, one in enumerate(letters)]
        frame = self._session.createDataFrame(rows, "third long, letter long, line binary")
        return frame.mapInPandas(partial(shards.route_letters, job=self._job), shards.LETTERS)

    def _absorbed(self, routed: "DataFrame") -> Sequence[Any]:
        work = partial(shards.run_letters, job=self._job)
        dealt = routed.repartition(self._job.shards, "shard").sortWithinPartitions(*_ORDER)
        rows: Sequence[Any] = dealt.mapInPandas(work, shards.DONE).collect()
        return rows

    def _asked_for(self) -> list[DeadLetter]:
        with reading(self._engine) as connection:
            job = f"{deadletter.OF_JOB}{self._job.name}/"
            return deadletter.asked_of_job(connection, job, LETTERS_AT_ONCE)
