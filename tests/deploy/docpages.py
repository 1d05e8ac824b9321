"""Pages of the documentation as shell scripts: what stands in them, and running it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.services import TOOLS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = DOCS / "guides"
ROOMS = (
    "actions database detectors gateway keystore keywatch rules scanner streams vocabulary".split()
)
_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]+) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_PORT = re.compile(r"(?<![\d.])(8000|808\d|800[12]|879\d|5514)(?!\d)")
_TYPED = re.compile(r"(?:^|\| |; |&& |\$\()(?:\.venv/bin/)?(keywatch [^|;&<>)]+)")
_INNER = re.compile(r'"?\$\((.*)\)"?')
_STATUS = re.compile(r"# (\d{3})$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block; `mark` is the comment before it."""

    kind: str
    text: str
    mark: str = ""

    @property
    def is_run(self):
        return self.kind == "sh" and not self.mark.startswith("not run:")


def blocks(page):
    return [Block(*found) for found in _parts(page.read_text())]


def _parts(text):
    return ((m["kind"], m["text"], m["mark"] or "") for m in _FENCE.finditer(text))


def command_lines(page):
    """Yield each `keywatch …` that a page tells people to type, in a fence or indented."""
    text = page.read_text().replace("\\\n", " ")
    typed = [
        line for kind, told, _ in _parts(text) if kind in ("", "sh") for line in told.split("\n")
    ]
    typed += re.findall(r"^    (\S.*)$", _FENCE.sub("", text), re.MULTILINE)
    for line in typed:
        told = re.sub(r"\s+# .*$", "", line)
        yield from _TYPED.findall(_INNER.sub("X", told))
        yield from (one for inner in _INNER.findall(told) for one in _TYPED.findall(inner))


def free_ports(number):
    """Return ports that nobody listens on."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


class Ports:
    """Each port that pages name, as one that is free."""

    def __init__(self):
        self._free = {}

    def put_in(self, text):
        return _PORT.sub(lambda m: self._free.setdefault(m[0], str(free_ports(1)[0])), text)

    def __getitem__(self, port):
        return self.put_in(port)


@dataclass(frozen=True)
class Ran:
    """What became of a page."""

    code: int
    said: str
    statuses: tuple[str, ...]
    expected: tuple[str, ...]


def run(page, folder, *, replaced=None):
    """Run the shell commands of a page in their order; end what they leave running.

    Args:
        page: the file.
        folder: where, empty.
        replaced: text of the page → what stands in for it here, such as a broker's address.
    """
    script = "set -eu -o pipefail\n" + "\n".join(b.text for b in blocks(page) if b.is_run)
    for was, now in (replaced or {}).items():
        assert was in script, was
        script = script.replace(was, now)
    ports = Ports()
    script, expected = ports.put_in(script), tuple(_STATUS.findall(script))
    if os.geteuid() == 0:
        script = script.replace("pid $PWD/nginx.pid;", "user root;\npid $PWD/nginx.pid;")
    deploy = _with_ports(folder / "deploy", ports)
    work = folder / "work"
    work.mkdir()
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            ["bash", "-c", script], cwd=work, env=_environment(folder, deploy, ports),
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(240)
        finally:
            _end(process, work)
    said = (folder / "out").read_text()
    return Ran(code, said, tuple(re.findall(r"^(\d{3})$", said, re.MULTILINE)), expected)


def _with_ports(deploy, ports):
    shutil.copytree(ROOT / "deploy", deploy)
    for file in (
        deploy / "nginx" / "keywatch-http.conf",
        *deploy.glob("caddy/*"),
        *deploy.glob("traefik/*"),
    ):
        file.write_text(ports.put_in(file.read_text()))
    return deploy


def _environment(folder, deploy, ports):
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("KEYWATCH", "GIT_"))},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:{TOOLS / 'bin'}",
        "DEPLOY": str(deploy),
        "SNIPPETS": str(deploy / "nginx"),
        "KEYWATCH_GATEWAY_PORT": ports["8790"],
        "KEYWATCH_CONSOLE_PORT": ports["8791"],
        "HOME": str(folder),
        # compiled rules are everybody's: each compilation would cost seconds
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "PYTHONPATH": str(ROOT),
    }


def _end(process, work):
    """End what a page has left running: it is all in the shell's session, nginx apart."""
    for file in work.rglob("nginx.pid"):
        with suppress(OSError, ValueError):
            os.kill(int(file.read_text()), signal.SIGTERM)
    # the supervisor first: it ends the parts, which are sessions of their own
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)
