"""Real services for tests, started by the tests that need them.

A service that is not installed skips the test, loudly, on a user's machine, and fails it in CI.
"""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.certificates import certificate

_HERE = Path(__file__).parent / "services"
JARS = Path(os.environ.get("KAFKAJARS", _HERE / "lib" / "kafka")) / ".complete"
_SPARK = _HERE / "lib" / "spark"
_DEBIAN = {
    "redis": ("redis-server", "redis-server"),
    "postgresql": ("initdb", "postgresql"),
    "nginx": ("nginx", "nginx"),
    "kafka": ("java", "default-jre-headless"),
    "chromium": ("chromium-headless-shell", "chromium-headless-shell"),
    "prometheus": ("promtool", "prometheus"),
    "systemd": ("systemd-analyze", "systemd"),
    "caddy": ("caddy", "caddy"),
}
TOOLS = Path(os.environ.get("KEYWATCH_TOOLS", _HERE / "lib" / "tools"))
"""Virtual environment of what comes as wheels: Envoy, Traefik, Helm, linters."""

_PLACES = os.pathsep.join(
    [
        os.environ.get("PATH", ""),
        "/usr/sbin",
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))),
    ]
)


def need(name: str) -> None:
    """Skip the test, or fail it in CI, when a service is not installed."""
    program, package = _DEBIAN[name]
    if not shutil.which(program, path=_PLACES):
        _lacking(f"{name} is not installed: apt-get install {package}")
    if name == "kafka" and not JARS.exists():
        _lacking("the jars of Kafka are missing: tests/services/kafka/broker.py jars")


def tool(name: str) -> str:
    """Return the path of a program that comes as a wheel; skip or fail as `need` does."""
    path = TOOLS / "bin" / name
    if not path.exists():
        _lacking(f"{name} is not installed")
    return str(path)


def program(name: str) -> str:
    """Return the path of a program that a Debian package brings; skip or fail as `need` does."""
    need(name)
    return shutil.which(_DEBIAN[name][0], path=_PLACES) or ""


@pytest.fixture(scope="session")
def spark_environment() -> dict[str, str]:
    """Return the environment in which programs find pyspark, and a Java for it."""
    need("kafka")  # that is Java
    if not (_SPARK / ".complete").exists():
        _lacking("pyspark and its jars are missing")
    path = os.pathsep.join([str(_SPARK), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture(scope="session")
def spark_jars(spark_environment: dict[str, str]) -> str:
    """Return the jars with which Spark reads Kafka, by commas."""
    return ",".join(map(str, sorted((_SPARK / "jars").glob("*.jar"))))


def browser_path() -> str:
    """Return the browser that pages are tested in; `CHROMIUM` names another one."""
    need("chromium")
    return os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or ""


def _lacking(what: str) -> None:
    said = f"{what}; tests/services/install.sh installs all that the tests need"
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)


@dataclass(frozen=True, slots=True)
class Service:
    """A service in a folder of its own; the same folder is the same port and data again."""

    script: tuple[str, ...]
    folder: Path

    def start(self, *options: str) -> str:
        """Start it and return its address."""
        return self._do("start", *options)

    def stop(self) -> None:
        """End it in good order."""
        self._do("stop")

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._do("kill")

    def _do(self, what: str, *options: str) -> str:
        command = [*self.script, what, str(self.folder), *options]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _service(name: str, *script: str) -> Iterator[Service]:
    need(name)
    # Not below pytest's own folder: a server that drops its privileges could not enter it.
    folder = Path(tempfile.mkdtemp(prefix=f"keywatch-{name}-", dir="/var/tmp"))
    folder.chmod(0o755)
    service = Service(script, folder)
    try:
        yield service
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka_service() -> Iterator[Service]:
    """Yield a broker that is not started; it will have a listener with TLS too."""
    for service in _service("kafka", sys.executable, str(_HERE / "kafka" / "broker.py")):
        certificate(service.folder)
        yield service


@pytest.fixture(scope="session")
def kafka_broker(kafka_service: Service) -> str:
    """Return host:port of a Kafka broker; a test that kills it starts it again."""
    return kafka_service.start()


class _ClosedInTheEnd(socket.socket):
    def __del__(self) -> None:
        self.close()


class _TlsClosedInTheEnd(ssl.SSLSocket):
    def __del__(self) -> None:
        self.close()


@pytest.fixture
def kafka_closes_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close what kafka-python (3.0.12) leaves to the garbage collector: refused connections."""
    monkeypatch.setattr(ssl.SSLContext, "sslsocket_class", _TlsClosedInTheEnd)
    net = pytest.importorskip("kafka.net.inet").KafkaNetSocket
    monkeypatch.setattr(net, "socket", lambda _, *kind: _ClosedInTheEnd(*kind))


@pytest.fixture(scope="session")
def redis_service() -> Iterator[Service]:
    """Yield a Redis that is not started."""
    yield from _service("redis", str(_HERE / "redis.sh"))


@pytest.fixture(scope="session")
def redis_url(redis_service: Service) -> str:
    """Return the URL of a Redis."""
    return redis_service.start()
