#!/usr/bin/env python3
"""A throw-away Kafka broker (one KRaft node) on 127.0.0.1. Standard library only.

  broker.py jars         fetch the jars with Maven and format a storage, the first time
  broker.py start DIR    start on DIR, wait until it answers, print host:port
  broker.py stop DIR     SIGTERM, and wait: the log is closed cleanly
  broker.py kill DIR     SIGKILL, for crash tests

DIR holds everything of one broker: configuration, process id, log, data. `start` on a DIR that
was used before keeps its port and its data. The jars are kept in the folder that KAFKA_JARS
names, by default ../lib/kafka.
"""

import argparse
import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
JARS = Path(os.environ.get("KAFKA_JARS", HERE.parent / "lib" / "kafka"))
FORMATTED = JARS / "formatted"
"""Storage of a node that has nothing in it yet: to make one takes a Java of its own."""

HOST = "127.0.0.1"
JAVA = (
    "java",
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    # To look through classes that come from a trusted place takes a third of the start.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
    "-Djava.awt.headless=true",
    "-Dlog4j2.level=WARN",
)
API_VERSIONS = 18
CORRELATION = 7
POLL_S = 0.05
MIB = 1024 * 1024


def jars():
    """Return the class path; Maven is asked once, then the folder is enough."""
    stamp = JARS / ".complete"
    if not stamp.exists():
        command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        options = ["-DincludeScope=runtime", f"-DoutputDirectory={JARS}"]
        subprocess.run([*command, *options], check=True, stdout=sys.stderr)
        stamp.touch()
    return str(JARS / "*")


def start(folder, wait_s=60):
    """Start the broker and return its address."""
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if running(folder):
        raise SystemExit(f"already running in {folder}")
    port = configured(folder)
    with (folder / "broker.log").open("ab") as log:
        child = subprocess.Popen(
            [*java(), "kafka.Kafka", str(folder / "server.properties")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / "pid").write_text(str(child.pid))
    until(lambda: child.poll() is not None or ready(folder, port), wait_s)
    if child.poll() is not None or not ready(folder, port):
        child.kill()
        raise SystemExit("no broker:\n" + (folder / "broker.log").read_text()[-3000:])
    return f"{HOST}:{port}"


def stop(folder, number=signal.SIGTERM, wait_s=30):
    """End the broker, if it runs."""
    folder = Path(folder).resolve()
    pid = running(folder)
    if pid is None:
        return
    os.kill(pid, number)
    if not until(lambda: not alive(pid), wait_s):
        os.kill(pid, signal.SIGKILL)
    (folder / "pid").unlink(missing_ok=True)


def java():
    """Return the command that a class is appended to."""
    return [*JAVA, "-cp", jars()]


def configured(folder):
    """Write the configuration and prepare the storage, the first time; return the port."""
    known = folder / "port.json"
    if not known.exists():
        port, controller, secure = free_ports(3)
        settings = configuration(folder / "data", port, controller)
        if (folder / "server.pem").exists():
            settings |= secured(settings, folder / "server.pem", secure)
            (folder / "secure.json").write_text(json.dumps(secure))
        written(folder / "server.properties", settings)
        shutil.copytree(formatted(), folder / "data")
        known.write_text(json.dumps(port))
    return json.loads(known.read_text())


def secured(settings, pem, port):
    """Return what a second listener changes: TLS with a file of key and certificate, and SCRAM."""
    also, name = f",SECURE://{HOST}:{port}", "listener.name.secure"
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    return {
        "listeners": settings["listeners"] + also,
        "advertised.listeners": settings["advertised.listeners"] + also,
        "listener.security.protocol.map": (
            settings["listener.security.protocol.map"] + ",SECURE:SASL_SSL"
        ),
        f"{name}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        f"{name}.scram-sha-512.sasl.jaas.config": f"{module} required;",
        f"{name}.ssl.keystore.type": "PEM",
        f"{name}.ssl.keystore.location": pem,
    }


def written(path, settings):
    """Write a file of properties."""
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def formatted():
    """Return the storage that every node begins with; Kafka's own tool makes it once."""
    if not FORMATTED.exists():
        with tempfile.TemporaryDirectory(dir=JARS) as name:
            settings, data = Path(name) / "server.properties", Path(name) / "data"
            written(settings, configuration(data, *free_ports(2)))
            # The first byte is fixed: an id that begins with a dash would be taken for an option.
            number = b"\0" + uuid.uuid4().bytes[1:]
            cluster = base64.urlsafe_b64encode(number).rstrip(b"=").decode()
            tool = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster]
            done = subprocess.run(
                [*java(), *tool, "--config", str(settings)],
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if done.returncode:
                raise SystemExit(done.stdout)
            with contextlib.suppress(OSError):  # somebody else was faster
                data.rename(FORMATTED)
    return FORMATTED


def configuration(data, port, controller):
    """Return the settings of a single small node whose tests do not want to wait."""
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        # The defaults want three replicas, which one node would wait for for ever.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 2,
        "group.initial.rebalance.delay.ms": 0,
        # By default a dead consumer is noticed after 6 s at the soonest …
        "group.min.session.timeout.ms": 1000,
        # … and a killed broker comes back only when its old session has ended, after 9 s.
        "broker.session.timeout.ms": 4000,
        "broker.heartbeat.interval.ms": 500,
        "auto.create.topics.enable": "false",
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 8 * MIB,
    }


def free_ports(count):
    """Return ports that nobody listens on."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def ready(folder, port):
    """Whether the broker serves requests, and listens where it does so by TLS, too."""
    known = folder / "secure.json"
    return answers(port) and (not known.exists() or listens(json.loads(known.read_text())))


def listens(port):
    """Whether somebody takes connections."""
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


def answers(port):
    """Ask for the versions of the API over a bare socket: whether the broker serves requests."""
    body = struct.pack(">hhih", API_VERSIONS, 0, CORRELATION, -1)
    try:
        with socket.create_connection((HOST, port), 1) as connection:
            connection.settimeout(2)
            connection.sendall(struct.pack(">i", len(body)) + body)
            head = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(head) == 10 and struct.unpack(">iih", head)[1:] == (CORRELATION, 0)


def running(folder):
    """Return the process id, if the process is still this broker: ids are used again."""
    try:
        pid = int((folder / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid if str(folder / "server.properties").encode() in command and alive(pid) else None


def alive(pid):
    """Whether the process runs; not every container has an init that reaps zombies."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def until(condition, wait_s):
    """Wait for a condition; False when it does not come in time."""
    end = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)
    return True


def main():
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["jars", "start", "stop", "kill"])
    parser.add_argument("folder", nargs="?", default="kafka-run")
    wanted = parser.parse_args()
    if wanted.what == "jars":
        jars()
        formatted()
    elif wanted.what == "start":
        print(start(wanted.folder))  # noqa: T201  (the address is what it is run for)
    else:
        stop(wanted.folder, signal.SIGKILL if wanted.what == "kill" else signal.SIGTERM)


if __name__ == "__main__":
    main()
