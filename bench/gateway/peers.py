"""What a user would pick instead of the gateway: nginx by itself, nginx and Caddy that ask."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
http://127.0.0.1:{port} {{
	route {{
		forward_auth {asked} {{
			uri {path}
			copy_headers X-Api-Key-Id
		}}
		respond ok
	}}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[int]:
    environ = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
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
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    command = [program, "-p", str(folder), "-c", str(config), "-e", str(folder / "nginx.err")]
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
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
    with running(command, port, folder) as pid:
        yield Server(f"http://127.0.0.1:{port}", (pid, *asked.pids))


def _page(folder: Path) -> None:
    (folder / "html").mkdir(exist_ok=True)
    (folder / "html" / "ok.txt").write_text("ok\n")
