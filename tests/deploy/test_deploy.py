"""What deploy/ ships, held to the commands, settings and metrics that there are."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from database.transaction import reading
from gateway.tally import Tally
from keywatch import metrics
from keywatch.config import leaves, load
from tests.console.house import House
from tests.deploy.words import refuse_unknown
from tests.services import JARS, need, program, tool

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKER = DEPLOY / "docker"


def settings_in(environment):
    known = {leaf.variable for leaf in leaves()}
    return {name for name in environment if name.startswith("KEYWATCH_") and name not in known}


@pytest.fixture(scope="module")
def compose():
    text = (DOCKER / "compose.yaml").read_text()
    assert "privileged" not in text.replace("no-new-privileges", "")
    return yaml.safe_load(text)


def test_the_services_run_commands_and_settings_that_there_are(compose):
    ours = {n: s for n, s in compose["services"].items() if s["image"] == "keywatch"}
    assert set(ours) == {"gateway", "pipeline", "console"}
    for service in ours.values():
        refuse_unknown(service["command"])
        assert not settings_in(service["environment"])
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    # what speaks of keys is published to this machine alone; only nginx faces the world
    published = [p for s in compose["services"].values() for p in s.get("ports", [])]
    assert sorted(published) == ["127.0.0.1:8791:8791", "8080:8080"]


def test_the_files_that_are_mounted_are_there_and_the_images_have_versions(compose):
    volumes = compose["volumes"]
    for service in compose["services"].values():
        assert re.fullmatch(r"keywatch|[\w./-]+:\d[\w.-]*", service["image"])
        for mount in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([\w.]+)\}", r"\1", mount).split(":")[0]
            assert (DOCKER / source).exists() if source.startswith(".") else source in volumes


def test_no_password_is_written_down(compose):
    for name in re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()):
        assert f"{name}=" in (DOCKER / "compose.env.example").read_text()
    text = json.dumps(compose)
    assert "${POSTGRES_PASSWORD:?" in text
    assert "${REDIS_PASSWORD:?" in text


@pytest.mark.parametrize(
    ("file", "types"),
    [("keywatch.toml", ["file"]), ("keywatch.kafka.toml", ["file", "kafka"])],
)
def test_the_pipelines_configuration_is_one(file, types):
    chosen = load(str(DOCKER / file)).settings
    assert [source.type for source in chosen.sources] == types
    assert chosen.actions.enabled == ()


def test_other_containers_reach_the_broker_and_its_data_outlives_it(compose, tmp_path):
    """Kafka takes the settings, made of the environment the way that the image does."""
    need("kafka")
    told = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in compose["services"]["kafka"]["environment"].items()
    }
    source = load(str(DOCKER / "keywatch.kafka.toml")).settings.sources[1]
    assert told["advertised.listeners"] == f"PLAINTEXT://{source.brokers[0]}"
    assert told["listeners"].startswith("PLAINTEXT://:9092,")
    assert f"kafka:{told['log.dirs']}" in compose["services"]["kafka"]["volumes"]
    settings = tmp_path / "server.properties"
    told["log.dirs"] = str(tmp_path / "data")
    settings.write_text("".join(f"{name}={value}\n" for name, value in told.items()))
    java = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS.parent}/*"]
    command = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", "A" * 22]
    done = subprocess.run(
        [*command, "--config", str(settings)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "node.id=1" in (tmp_path / "data" / "meta.properties").read_text()


def test_what_holds_passwords_is_neither_committed_nor_built_in():
    for file in (".gitignore", ".dockerignore"):
        assert ".env" in (ROOT / file).read_text().splitlines()


def test_nginx_takes_its_configuration(tmp_path):
    need("nginx")
    text = (DOCKER / "nginx.conf").read_text()
    for was, now in (
        ("gateway:8790", "127.0.0.1:1"),
        ("your-api:8000", "127.0.0.1:2"),
        ("/etc/nginx/keywatch", str(DEPLOY / "nginx")),
        ("/var/log/keywatch", str(tmp_path)),
    ):
        assert was in text
        text = text.replace(was, now)
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\n{text}")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def instructions():
    text = (DOCKER / "Dockerfile").read_text()
    joined = re.sub(r"\\\n", " ", text)
    return [line.split(None, 1) for line in joined.splitlines() if line and line[0] not in "# "]


def test_the_image_is_small_locked_and_runs_as_nobody():
    told = instructions()
    (base,) = [rest for word, rest in told if word == "ARG"]
    assert re.fullmatch(r"BASE=python:3\.\d+-slim-\w+", base)
    assert [rest for word, rest in told if word == "FROM"] == ["${BASE} AS build", "${BASE}"]
    last = [word for word, _ in told][::-1].index("FROM")
    final = told[-last:]
    users = [rest for word, rest in final if word == "USER"]
    assert users == ["65532:65532"]
    assert not [word for word, _ in told if word == "ADD"]
    for word, rest in told:
        if word == "RUN" and "pip install" in rest:
            assert "--require-hashes" in rest or "--no-index" in rest
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
    (words,) = [json.loads(rest) for word, rest in final if word == "CMD"]
    refuse_unknown(words)


def test_the_images_lock_is_part_of_the_projects():
    pins = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
    ours = set(pins.findall((ROOT / "requirements.lock").read_text()))
    for name in ("requirements.lock", "build.lock"):
        assert set(pins.findall((DOCKER / name).read_text())) <= ours


@pytest.mark.parametrize("part", ["gateway", "pipeline", "console"])
def test_the_units_run_commands_that_there_are(part):
    text = (DEPLOY / "systemd" / f"keywatch-{part}.service").read_text()
    (line,) = re.findall(r"^ExecStart=/usr/bin/keywatch (.*)$", text, re.MULTILINE)
    refuse_unknown(shlex.split(line))
    assert "NoNewPrivileges=yes" in text


@pytest.mark.service
@pytest.mark.parametrize("part", ["gateway", "pipeline", "console"])
def test_systemd_takes_the_units(part, tmp_path):
    need("systemd")
    text = (DEPLOY / "systemd" / f"keywatch-{part}.service").read_text()
    unit = tmp_path / f"keywatch-{part}.service"
    # the program and its manual are where the package puts them, not here
    here = text.replace("/usr/bin/keywatch", sys.executable).replace(
        "Documentation=man:keywatch(1)\n", ""
    )
    unit.write_text(here)
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if unit.name in line]
    assert not ours, done.stderr


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Names of all metrics that the console and the gateway tell."""
    house = House(f"sqlite:///{tmp_path_factory.mktemp('m') / 'k.db'}")
    house.furnish()
    with reading(house.engine) as connection:
        text = metrics.text(connection, time.time())
    house.engine.dispose()
    text += Tally().text(is_current=True, cached_keys=0)
    names = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'\w+(\{\w+="[^"]*"\})? -?[\d.e+-]+', line), (
            line
        )
    return names


def metrics_of(expression):
    found = set(re.findall(r"\bkeywatch_\w+", expression))
    return {name.removesuffix("_bucket") for name in found}


def test_every_rule_and_panel_asks_for_figures_that_there_are(told):
    rules = yaml.safe_load((DEPLOY / "prometheus" / "keywatch.rules.yml").read_text())
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    board = json.loads((DEPLOY / "grafana" / "keywatch.json").read_text())
    expressions += [t["expr"] for panel in board["panels"] for t in panel["targets"]]
    for expression in expressions:
        assert metrics_of(expression) <= told, expression
        assert expression.count("(") == expression.count(")")
    assert all(rule["annotations"]["summary"] for g in rules["groups"] for rule in g["rules"])


@pytest.mark.service
@pytest.mark.parametrize(
    "words", ["check rules keywatch.rules.yml", "test rules keywatch.test.yml"]
)
def test_prometheus_takes_the_rules_and_they_ring_when_they_should(words):
    command = [program("prometheus"), *words.split()]
    done = subprocess.run(
        command, cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.service
def test_the_dockerfile_is_linted():
    command = [tool("hadolint"), "--no-color", str(DOCKER / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_figure_is_on_the_dashboard_or_in_a_rule(told):
    text = (DEPLOY / "prometheus" / "keywatch.rules.yml").read_text()
    text += (DEPLOY / "grafana" / "keywatch.json").read_text()
    unused = {name for name in told if name not in text}
    assert unused <= {"keywatch_repositories_waiting", "keywatch_gateway_cached_keys"}


def test_the_dashboard_is_the_one_that_its_script_writes():
    script = [sys.executable, str(DEPLOY / "grafana" / "make.py")]
    made = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert made == (DEPLOY / "grafana" / "keywatch.json").read_text()
