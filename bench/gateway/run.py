"""What the gateway costs, beside what a user would pick instead, in the same run.

    .venv/bin/python bench/gateway/run.py [--keys 1000000] [--hot 100000] [--seconds 10]

Needs wrk, nginx and caddy (apt-get install wrk nginx caddy), Traefik and Envoy
(tests/services/install.sh); what is missing is left out. Client
and server share the machine, so beside requests/s there is the servers' own processor time a
request, which does not depend on who else is at work. Prints one JSON document.
"""

import argparse
import json
import os
import platform
import random
import tempfile
from pathlib import Path
from typing import Any

from load import Server, fill, load, lockout, rss, secrets, serving, under_load, wrk
from peers import caddy, envoy, nginx_asking, nginx_map, program, traefik

from keystore.store import KeyStore


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    url = f"sqlite:///{folder / 'keys.db'}"
    names = secrets(options.keys)
    store = fill(url, names)
    hot = random.Random(1).sample(names, options.hot)
    result: dict[str, Any] = {"keys": options.keys, "hot": options.hot, "connections": 32}
    with serving("empty", url, folder) as server:
        result["empty"] = load(server, folder, hot, options.seconds)
    for what in ("gateway", "auth"):
        with serving(what, url, folder) as server:
            result[what] = of_gateway(server, folder, hot, options)
            if what == "auth":
                result |= under_attack(server, folder, hot, options)
                result |= lockouts(server, folder, hot, store, options)
    with serving("empty", url, folder) as server:
        result["empty_again"] = load(server, folder, hot, options.seconds)
    result["peers"] = peers(url, folder, hot, options)
    return result | ratios(result)


def of_gateway(
    server: Server, folder: Path, hot: list[str], options: argparse.Namespace
) -> dict[str, Any]:
    # Every hot key once: as long as it takes.
    filled = 0
    while filled < options.hot:
        said = load(server, folder, hot[filled:], 5, ordered=True)
        filled += int(said["requests_per_s"] * 5)
    return load(server, folder, hot, options.seconds)


def under_attack(
    server: Server, folder: Path, hot: list[str], options: argparse.Namespace
) -> dict[str, Any]:
    """Random unknown keys on half of the connections, valid ones on the other half."""
    unknown = secrets(200_000, "bad")
    load(server, folder, unknown, 2, ordered=True)
    held = rss(server.pid)
    alone = load(server, folder, hot, options.seconds, connections=16)
    attack = wrk(server, folder, unknown, 600, ordered=True, connections=17)
    try:
        beside = load(server, folder, hot, options.seconds, connections=16)
    finally:
        attack.terminate()
        attack.communicate()
    grown = round((rss(server.pid) - held) / 1e6, 1)
    return {"attack": {"valid_alone": alone, "valid_beside": beside, "grown_mb": grown}}


def lockouts(
    server: Server, folder: Path, hot: list[str], store: KeyStore, options: argparse.Namespace
) -> dict[str, Any]:
    def act() -> dict[str, Any]:
        return lockout(server, store, options.rounds)

    return {
        "lockout_idle": act(),
        "lockout_under_load": under_load(server, folder, hot, act),
    }


def peers(url: str, folder: Path, hot: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Return what others cost that could stand in the gateway's place."""
    found: dict[str, Any] = {}
    known = hot[: options.map]

    def note(name: str, server: Server, keys: list[str]) -> None:
        load(server, folder, keys, 1)
        found[name] = load(server, folder, keys, options.seconds)

    if program("nginx"):
        with nginx_map(folder, known) as server:
            note(f"nginx map of {len(known)} + limit_req", server, known)
    for name, proxy in PROXIES.items():
        if not program(name.split()[0]):
            continue
        for what in ("empty", "auth"):
            with serving(what, url, folder) as asked, proxy(folder, asked) as server:
                note(f"{name} to {what}", server, hot[:20_000])
    return found


PROXIES = {
    "nginx auth_request": nginx_asking,
    "caddy forward_auth": caddy,
    "traefik forwardAuth": traefik,
    "envoy ext_authz": envoy,
}


def ratios(result: dict[str, Any]) -> dict[str, Any]:
    empty = min(result[name]["cpu_us_per_request"] for name in ("empty", "empty_again"))
    return {
        "overhead_us": {
            what: round(result[what]["cpu_us_per_request"] - empty, 2)
            for what in ("gateway", "auth")
        },
        "times_an_empty_app": {
            what: round(empty / result[what]["cpu_us_per_request"], 3)
            for what in ("gateway", "auth")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--hot", type=int, default=20_000)
    parser.add_argument("--map", type=int, default=10_000, help="keys in nginx's map")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        result = measure(options, Path(folder))
    machine = {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
    print(json.dumps({"machine": machine, **result}, indent=2))


main()
