"""The pipeline on Spark, killed and started again: its alerts are those of one calm process."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from keywatch.cli import run
from tests.keywatch.fleet import HEAD, attacked, calm_run, moved, prepared, truth, until

kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")
pytestmark = [
    pytest.mark.service,
    pytest.mark.usefixtures("kafka_closes_sockets"),
]

SOURCE = """
[[sources]]
type = "kafka"
topic = "spark"
brokers = ["{broker}"]
format = "nginx-json"
"""
LETTER = "INSERT INTO dead_letters (source, position, reason, raw, at) VALUES (%s, %s, %s, %s, 5)"
SOON_DONE = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    " -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
)
"""What a Java that lives for half a minute had better not spend its time on."""

FIRST_SHARD = "SELECT 1 FROM positions WHERE source LIKE 'spark:main/%'"

# Code that is generated for a few thousand lines takes longer to compile than to do without.
PLACE = (
    *("--master", "local[1]", "--shards", "3", "--conf", "spark.driver.memory=600m"),
    *("--conf", "spark.sql.codegen.wholeStage=false"),
    *("--conf", "spark.sql.codegen.factoryMode=NO_CODEGEN"),
)


@pytest.fixture
def spark(tmp_path, spark_environment):
    """Start a process of one `keywatch spark` after the other, in a folder of its own."""
    begun = []

    def start(*commands):
        command = [sys.executable, str(Path(__file__).with_name("spark_process.py"))]
        command += [
            json.dumps(["--config", str(words[0]), "spark", *words[1:]]) for words in commands
        ]
        with (tmp_path / "spark.log").open("ab") as log:
            env = {**spark_environment, "TMPDIR": str(tmp_path), "JAVA_TOOL_OPTIONS": SOON_DONE}
            place = {"cwd": tmp_path, "env": env}
            begun.append(subprocess.Popen(command, stdout=log, stderr=log, **place))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()


def ended_well(process, folder):
    assert process.wait(900) == 0, (folder / "spark.log").read_text()[-4000:]


def said(of):
    """Leave out effects: a backfill does nothing to a key."""
    return {name: of[name] for name in ("alerts", "letters", "events")}


def test_a_stream_that_is_killed_and_a_backfill_lead_to_the_alerts_of_one_process(
    kafka_broker, postgresql_server, postgresql_url, spark, spark_jars, tmp_path
):
    calm = f"sqlite:///{tmp_path}/calm.db"
    lines = attacked(*prepared(calm))[-4000:]
    lines.insert(0, ("", b"broken"))
    moved(postgresql_url, calm)
    (tmp_path / "access.log").write_bytes(b"".join(one + b"\n" for _, one in lines))
    expected = calm_run(tmp_path, calm)

    # The last line, of the address that tries keys: a letter of the job, for its format was wrong.
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(LETTER, ("spark:main/1", '{"offset": 5}', "why", lines[-1][1]))
    config = tmp_path / "spark.toml"
    config.write_text(HEAD.format(database=postgresql_url) + SOURCE.format(broker=kafka_broker))
    admin = kafka_admin.KafkaAdminClient(bootstrap_servers=kafka_broker)
    admin.create_topics([kafka_admin.NewTopic("spark", 2, 1)])
    admin.close()
    producer = kafka.KafkaProducer(bootstrap_servers=kafka_broker, acks="all")
    for key, one in lines[:-1]:
        producer.send("spark", one, key=key.encode())
    producer.flush()
    producer.close()

    history = f"{postgresql_url.rsplit('/', 1)[0]}/history"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE history TEMPLATE keywatch_template")
    moved(history, calm)
    (tmp_path / "history.toml").write_text(HEAD.format(database=history))

    place = (*PLACE, "--jars", spark_jars)
    backfill = (tmp_path / "history.toml", "backfill", str(tmp_path / "access.log"), *place)
    submit = (config, "submit", *place, "--once", "--per-batch", "1500")
    first = spark(backfill, submit)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        begun = lambda: connection.execute(FIRST_SHARD).fetchone()  # noqa: E731
        until(begun, "the first shard", [first])
    first.kill()  # with a batch half done: some shards have committed, others have not
    first.wait()
    assert truth(postgresql_url)["events"] < expected["events"]
    assert said(truth(history)) == said(expected)
    assert run(["--config", str(config), "deadletters", "replay", "--all"]) == 0
    ended_well(spark(submit), tmp_path)
    assert truth(postgresql_url) == expected


def test_files_of_cloudtrail_are_read_by_record_however_they_are_written(
    postgresql_url, spark, tmp_path
):
    key = "AKIA" + "EXAMPLE7" * 2
    records = [
        {
            "eventTime": f"2026-03-01T10:00:{number:02}Z",
            "eventSource": "s3.amazonaws.com",
            "eventName": "GetObject",
            "sourceIPAddress": "192.0.2.7",
            "userIdentity": {"accessKeyId": key},
        }
        for number in range(12)
    ]
    indented = json.dumps({"Records": records[:5]}, indent=2).encode()
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(indented))
    (tmp_path / "b.json").write_text(json.dumps({"Records": records[5:9]}))
    (tmp_path / "c.json").write_text("\n".join([*map(json.dumps, records[9:]), "oops"]))
    config = tmp_path / "trail.toml"
    config.write_text(HEAD.format(database=postgresql_url))
    files = [str(tmp_path / name) for name in ("a.json.gz", "b.json", "c.json")]
    words = ("backfill", *files, "--format", "cloudtrail", *PLACE)
    ended_well(spark((config, *words)), tmp_path)
    found = truth(postgresql_url)
    assert found["events"] == len(records)
    assert len(found["letters"]) == 1
