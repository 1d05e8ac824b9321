"""The documentation: its tutorial is run, its links lead somewhere, and it becomes a site."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.services import need

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def free_ports(number):
    """Return ports that nobody listens on."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


@pytest.mark.service
def test_every_command_of_the_tutorial_works_in_its_order(tmp_path):
    need("nginx")
    text = (DOCS / "tutorial.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    script = "set -eu -o pipefail\n" + "\n".join(blocks)
    snippets = tmp_path / "snippets"
    shutil.copytree(ROOT / "deploy" / "nginx", snippets)
    ports = dict(zip(("8000", "8080", "8790", "8791"), map(str, free_ports(4)), strict=True))
    for was, now in ports.items():
        script = script.replace(f":{was}", f":{now}").replace(f" {was} ", f" {now} ")
    config = snippets / "keywatch-http.conf"
    config.write_text(config.read_text().replace("8790", ports["8790"]))
    user = "user root;\n" if os.geteuid() == 0 else ""
    script = script.replace("pid $PWD/nginx.pid;", f"{user}pid $PWD/nginx.pid;")
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith("KEYWATCH_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin",
        "SNIPPETS": str(snippets),
        "KEYWATCH_GATEWAY_PORT": ports["8790"],
        "KEYWATCH_CONSOLE_PORT": ports["8791"],
        "HOME": str(tmp_path),
    }
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(240)
        finally:
            _end(process, tmp_path)
    said = (tmp_path / "out").read_text()
    assert code == 0, said[-3000:]
    assert re.search(r"^401\n200$", said, re.MULTILINE), said
    assert "rows are proven" in said


def _end(process, folder):
    """End what the tutorial has left running: it is all in the shell's session, nginx apart."""
    with suppress(OSError, ValueError):
        os.kill(int((folder / "shop" / "nginx.pid").read_text()), signal.SIGTERM)
    # the supervisor first: it ends the parts, which are sessions of their own
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_links_of_a_page_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", link) and not link.startswith("#"):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_the_docs_become_a_site_that_fetches_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "tutorial.html").read_text()
    fetched = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:)?//', page)
    assert not fetched
