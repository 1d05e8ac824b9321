"""The pipeline as a Spark job: a stream from Kafka, or months of logs at once, into PostgreSQL.

https://spark.apache.org/docs/latest/streaming/ — Spark reads, deals out and repeats; what it deals
out is worked on by `keywatch.shards`, the same pipeline as everywhere. Spark's checkpoint holds
what was read, the database what came of it: a micro-batch is repeated under its number until all
of its shards have committed it, and a shard commits it once.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Engine

from database.transaction import reading, transaction
from keywatch import shards, sparkfiles
from keywatch.config import Settings
from keywatch.config_streams import SourceSettings
from keywatch.shards import Job
from keywatch.sparkkafka import kafka_options
from keywatch.sparkletters import Letters
from keywatch.sparktelling import Tell, say
from streams import checkpoint, formats
from vocabulary.errors import ConfigError, ServiceError, UsageError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LOOK_S = 10.0
"""How often a job that follows a topic looks for dead letters that are to be read again."""
ORDER = ("shard", "first", "second", "third")


def job_of(settings: Settings, source: SourceSettings, name: str, count: int, *, act: bool) -> Job:
    """Return what is to be done.

    Args:
        settings: the configuration.
        source: of the lines.
        name: of the job.
        count: of shards.
        act: whether actions that are switched on are carried out.

    Raises:
        ConfigError: for a database or a format with which several processes cannot work.
    """
    if not settings.database.startswith("postgresql"):
        raise ConfigError(
            "Spark's workers need a database that all of them reach",
            where="database",
            remedy="name a PostgreSQL",
        )
    if formats.find(source.format).header:
        raise ConfigError(
            f"lines of {source.format} are read by a header that stands above them",
            where="sources.format",
            remedy="a log like that is read in one piece: see `keywatch watch`",
        )
    encode = msgspec.json.encode
    return Job(name, count, encode(settings), encode(source), act)


def stream_source(settings: Settings) -> SourceSettings:
    """Return the topic of access events.

    Raises:
        ConfigError: unless there is exactly one.
    """
    found = [one for one in settings.sources if one.events == "access" and one.type == "kafka"]
    if len(found) != 1 or not found[0].topic or not found[0].brokers:
        raise ConfigError(
            "a Spark job reads one topic of access events",
            where="sources",
            remedy='have one source of type = "kafka", with topic and brokers',
        )
    return found[0]


def submit(  # noqa: PLR0913  (what a run is made of)
    session: "SparkSession",
    engine: Engine,
    job: Job,
    source: SourceSettings,
    checkpoint_dir: str,
    *,
    once: bool,
    per_batch: int,
    tell: Tell,
) -> None:
    """Follow a topic until the session is stopped or, with `once`, to its present end.

    Args:
        session: of Spark.
        engine: the database.
        job: what is to be done.
        source: the topic.
        checkpoint_dir: where Spark keeps what it has read; it belongs to the job.
        once: read what there is and end.
        per_batch: records that are committed together, at most.
        tell: called with what a person should know.

    Raises:
        ConfigError: when the job has another number of shards, or another checkpoint.
        ServiceError: when Spark gave up.
    """
    _claim(engine, job, checkpoint_dir)
    reader = session.readStream.format("kafka").option("subscribe", source.topic)
    for name, value in kafka_options(source).items():
        reader = reader.option(name, value)
    records = reader.option("maxOffsetsPerTrigger", per_batch).load()
    lines = records.selectExpr(
        "unix_millis(timestamp) AS first", "CAST(partition AS long) AS second",
        "offset AS third", "value AS line",
    )  # fmt: skip
    letters = Letters(session, engine, job, tell)
    letters.read_again()

    def work(frame: "DataFrame", number: int) -> None:
        with letters.alone:
            _absorb(frame, number, engine, job, tell)

    writer = lines.writeStream.foreachBatch(work).option("checkpointLocation", checkpoint_dir)
    writer = writer.queryName(f"keywatch-{job.name}")
    query = (writer.trigger(availableNow=True) if once else writer).start()
    _wait(query, letters)
    letters.read_again()


def backfill(
    session: "SparkSession", engine: Engine, job: Job, logs: Sequence[str], tell: Tell
) -> None:
    """Absorb logs, in the order given; begun anew it goes on where every shard was.

    Args:
        session: of Spark.
        engine: the database.
        job: what is to be done.
        logs: paths or patterns that Spark can read, packed or not.
        tell: called with what a person should know.

    Raises:
        ConfigError: when the job was begun with other logs, or another number of shards.
        UsageError: when there is no log.
    """
    files = [file for log in logs for file in sorted(_files(session, log))]
    if not files:
        raise UsageError("there is no log", remedy="name files that Spark can read")
    _claim(engine, job, json.dumps(files))
    letters = Letters(session, engine, job, tell)
    source = msgspec.json.decode(job.source, type=SourceSettings)
    # A record a line, or many in a document.
    documents = formats.find(source.format).unfold is not None
    lines = sparkfiles.rows(session, files, documents=documents)
    done = _dealt_out(lines, job).mapInPandas(partial(shards.run_history, job=job), shards.DONE)
    _told(done, tell, f"{len(files)} logs")
    letters.read_again()


def started(master: str, options: Mapping[str, str]) -> "SparkSession":
    """Start Spark, or find the session that `spark-submit` has started.

    Args:
        master: such as `local[2]`, `spark://…`, `yarn`; empty for what Spark is configured to.
        options: settings of Spark.

    Raises:
        UsageError: when pyspark is not installed, or its Java does not start.
    """
    try:
        from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415  (an extra)
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("Spark needs pyspark", remedy="install keywatch[spark]") from error
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("keywatch")
    if master:
        builder = builder.master(master)
    settings = {
        # Lines may hold secrets, and are on Spark's disks for as long as they are dealt out.
        "spark.io.encryption.enabled": "true",
        "spark.network.crypto.enabled": "true",
        "spark.authenticate": "true",
        "spark.ui.showConsoleProgress": "false",
        # Of 10,000 rows each may be a file.
        "spark.sql.execution.arrow.maxBytesPerBatch": str(64 << 20),
        **_local(master),
        **options,
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise UsageError(
            "Spark does not start", where=master, remedy="what its Java said stands above"
        ) from error


def _local(master: str) -> dict[str, str]:
    """Return what keeps a Spark of one machine to itself."""
    if not master.startswith("local"):
        return {}
    return {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
    }


def _absorb(frame: "DataFrame", number: int, engine: Engine, job: Job, tell: Tell) -> None:
    _refuse_old(engine, job, number)
    work = partial(shards.run_batch, job=job, number=number)
    _told(_dealt_out(frame, job).mapInPandas(work, shards.DONE), tell, f"batch {number}")


def _dealt_out(lines: "DataFrame", job: Job) -> "DataFrame":
    routed = lines.mapInPandas(partial(shards.route, job=job), shards.ROUTED)
    return routed.repartition(job.shards, "shard").sortWithinPartitions(*ORDER)


def _told(done: "DataFrame", tell: Tell, what: str) -> None:
    say(done.collect(), tell, what)


def _files(session: "SparkSession", log: str) -> Sequence[str]:
    from pyspark.errors import AnalysisException  # noqa: PLC0415  (an extra)

    try:
        found: Sequence[str] = session.read.text(log).inputFiles()
    except AnalysisException as error:
        raise UsageError("there is no such log", where=log) from error
    return found


def _claim(engine: Engine, job: Job, place: str) -> None:
    """Note what a job is of, once and for all: other lines under its name would be passed over.

    Raises:
        ConfigError: when it is of something else.
    """
    name = f"spark:{job.name}"
    mine = {"shards": job.shards, "of": place}
    with transaction(engine) as connection:
        before = checkpoint.load(connection, name)
        if before is None:
            checkpoint.save(connection, name, mine, time.time())
        elif dict(before) != mine:
            raise ConfigError(
                f"the job {job.name} has {before['shards']} shards and is of {before['of']}",
                remedy="give other work another --name",
            )


def _refuse_old(engine: Engine, job: Job, number: int) -> None:
    """Refuse a batch that cannot come from the job's checkpoint.

    Raises:
        ConfigError: when later ones are committed: the checkpoint was lost or is another's.
    """
    with reading(engine) as connection:
        known = checkpoint.under(connection, f"spark:{job.name}/")
    newest = max((int(one["offset"]) for one in known.values()), default=0)
    if number + 1 < newest:
        raise ConfigError(
            f"batch {number} comes after batch {newest - 1} was committed",
            where=f"the checkpoint of {job.name}",
            remedy="restore the checkpoint; or give the job another --name, and read all again",
        )


def _wait(query: Any, letters: Letters) -> None:  # noqa: ANN401  (a query)
    from pyspark.errors import StreamingQueryException  # noqa: PLC0415  (an extra)

    try:
        while not query.awaitTermination(LOOK_S):
            letters.read_again()
    except StreamingQueryException as error:
        said = str(error).strip().splitlines()
        raise ServiceError(said[0] if said else "Spark gave up", where="spark") from error


def checkpoint_of(name: str, given: str) -> str:
    """Return where Spark keeps what it has read: as given, or beside the working folder."""
    return given or str(Path.cwd() / "keywatch-spark" / name)
