"""What a user would pick instead of the gateway: nginx by itself, or a proxy that asks.

nginx and Caddy come from Debian, Traefik and Envoy as wheels (tests/services/install.sh).
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from load import Server

NGINX = """
{user}
worker_processes 1;
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  map_hash_bucket_size 256;
  map_hash_max_size 1000000;
  {http}
  server {{
    listen 127.0.0.1:{port};
    {server}
  }}
}}
"""
ASKING = """
    location = /_auth {{
      internal;
      proxy_pass http://asked{path};
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Original-URI $request_uri;
      proxy_set_header X-Original-Method $request_method;
    }}
    root {folder}/html;
    location / {{ auth_request /_auth; try_files /ok.txt =404; }}
"""
CADDY = """
{{
	admin off
	auto_https off
}}
# Whatever host is asked for: one that it does not know Caddy answers with an empty page.
:{port} {{
	bind 127.0.0.1
	route {{
		forward_auth {asked} {{
			uri {path}
			copy_headers X-Api-Key-Id
		}}
		respond ok
	}}
}}
"""


TRAEFIK = """
http:
  middlewares: {{ asked: {{ forwardAuth: {{ address: "{asked}{path}", authResponseHeaders: [X-Api-Key-Id] }} }} }}
  routers: {{ all: {{ rule: "PathPrefix(`/`)", service: page, middlewares: [asked] }} }}
  services: {{ page: {{ loadBalancer: {{ servers: [ {{ url: "http://127.0.0.1:{page}" }} ] }} }} }}
"""
TOOLS = Path(__file__).parents[2] / "tests" / "services" / "lib" / "tools" / "bin"


def program(name: str) -> str | None:
    """Return the path of a program; None where it is not installed."""
    return shutil.which(name, path=os.pathsep.join([str(TOOLS), os.environ["PATH"], "/usr/sbin"]))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[int]:
    environ = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with socket.socket() as peer:
                if peer.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} did not start")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def nginx(folder: Path, http: str, server: str) -> Iterator[tuple[str, int]]:
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(user=user, folder=folder, port=port, http=http, server=server))
    command = [
        program("nginx"),
        "-p",
        str(folder),
        "-c",
        str(config),
        "-e",
        str(folder / "nginx.err"),
    ]
    with running(command, port, folder) as pid:
        yield f"http://127.0.0.1:{port}", pid


@contextmanager
def nginx_map(folder: Path, names: list[str]) -> Iterator[Server]:
    """Keys in nginx's configuration: nothing revokes one but a reload."""
    _page(folder)
    entries = "\n".join(f'"{name}" {number};' for number, name in enumerate(names))
    http = (
        f'map $http_x_api_key $key_id {{ default ""; {entries} }}\n'
        "limit_req_zone $key_id zone=keys:64m rate=1000000r/m;"
    )
    place = "location / { if ($key_id = '') { return 401; } limit_req zone=keys burst=1000000 "
    place += "nodelay; try_files /ok.txt =404; }"
    with nginx(folder, http, f"root {folder}/html;\n{place}") as (address, pid):
        yield Server(address, (pid,))


@contextmanager
def nginx_asking(folder: Path, asked: Server) -> Iterator[Server]:
    path = "/auth" if asked.path == "/verify" else asked.path
    upstream = f"upstream asked {{ server {asked.address.removeprefix('http://')}; keepalive 64; }}"
    _page(folder)
    with nginx(folder, upstream, ASKING.format(path=path, folder=folder)) as (address, pid):
        yield Server(address, (pid, *asked.pids))


@contextmanager
def caddy(folder: Path, asked: Server) -> Iterator[Server]:
    port = free_port()
    host = asked.address.removeprefix("http://")
    config = folder / "Caddyfile"
    config.write_text(CADDY.format(port=port, asked=host, path=asked.path))
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(config)]
    with running(command, port, folder) as pid:
        yield Server(f"http://127.0.0.1:{port}", (pid, *asked.pids))


@contextmanager
def traefik(folder: Path, asked: Server) -> Iterator[Server]:
    """Traefik answers nothing by itself: nginx is behind it."""
    with page(folder) as (behind, page_pid):
        port = free_port()
        config = folder / "routes.yml"
        text = TRAEFIK.format(asked=asked.address, path=asked.path, page=behind)
        config.write_text(text)
        command = [program("traefik"), "--global.checkNewVersion=false", "--log.level=ERROR"]
        command += ["--global.sendAnonymousUsage=false", f"--providers.file.filename={config}"]
        command += [f"--entryPoints.web.address=127.0.0.1:{port}"]
        with running(command, port, folder) as pid:
            address = f"http://127.0.0.1:{port}"
            routed(address + asked.path)
            yield Server(address, (pid, page_pid, *asked.pids))


def routed(url: str) -> None:
    """Wait until a proxy knows its routes: it listens before, and finds nothing."""
    while True:
        try:
            with urllib.request.urlopen(url):
                return
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                return
        time.sleep(0.02)


@contextmanager
def envoy(folder: Path, asked: Server) -> Iterator[Server]:
    """Envoy answers a page of its own, as nginx and Caddy do."""
    port = free_port()
    config = folder / "envoy.json"
    config.write_text(json.dumps(_envoy(port, asked)))
    command = [program("envoy"), "-c", str(config), "--disable-hot-restart", "--concurrency", "1"]
    with running([*command, "--log-level", "error"], port, folder) as pid:
        yield Server(f"http://127.0.0.1:{port}", (pid, *asked.pids))


def _envoy(port: int, asked: Server) -> dict[str, object]:
    types = "type.googleapis.com/envoy.extensions.filters"
    host, _, asked_port = asked.address.removeprefix("http://").partition(":")
    address = {"socket_address": {"address": host, "port_value": int(asked_port)}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    service = {
        "server_uri": {"uri": asked.address, "cluster": "asked", "timeout": "1s"},
        "path_prefix": asked.path,
        "authorization_request": {"allowed_headers": {"patterns": [{"exact": "x-api-key"}]}},
        "authorization_response": {
            "allowed_upstream_headers": {"patterns": [{"exact": "x-api-key-id"}]}
        },
    }
    filters = [
        {
            "name": "envoy.filters.http.ext_authz",
            "typed_config": {
                "@type": f"{types}.http.ext_authz.v3.ExtAuthz",
                "http_service": service,
            },
        },
        {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": f"{types}.http.router.v3.Router"},
        },
    ]
    answer = {"status": 200, "body": {"inline_string": "ok\n"}}
    route = {"match": {"prefix": "/"}, "direct_response": answer}
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "web",
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{"name": "a", "domains": ["*"], "routes": [route]}]},
    }
    name = "envoy.filters.network.http_connection_manager"
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": name, "typed_config": manager}]}],
    }
    cluster = {
        "name": "asked",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "asked", "endpoints": endpoints},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


@contextmanager
def page(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield the port of an nginx that answers one page, and its process."""
    (folder / "page").mkdir(exist_ok=True)
    _page(folder / "page")
    with nginx(
        folder / "page", "", f"root {folder}/page/html;\nlocation / {{ try_files /ok.txt =404; }}"
    ) as (
        address,
        pid,
    ):
        yield int(address.rpartition(":")[2]), pid


def _page(folder: Path) -> None:
    (folder / "html").mkdir(exist_ok=True)
    (folder / "html" / "ok.txt").write_text("ok\n")
