"""How long the server takes for each page of the console, with many keys and incidents.

python bench/console/pages.py [--keys 1000000] [--incidents 10000] [--database FILE]

Makes the database, unless the file is there already, and asks for each page 12 times in this
process: the first answers of a cold process, and the middle of the others, in ms of processor
time and of the clock.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from sqlalchemy import Engine, text  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

from database.transaction import open_database, transaction  # noqa: E402
from keywatch.config import Settings  # noqa: E402
from keywatch.console.site import site  # noqa: E402
from keywatch.desk.desk import Desk  # noqa: E402
from keywatch.people import sessions, tokens, users  # noqa: E402
from keywatch.people.roles import scopes_of  # noqa: E402

SERIES = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :n)"
KEYS = f"""INSERT INTO keys (id, hash, prefix, environment, publishable, owner, name, scopes, state,
leak_proven, created_at, expires_at, suspended, last_used_at, change_seq, previous_state)
{SERIES} SELECT printf('key_%010d', i * 7919 % 10000000019), printf('%064d', i), 'sk_live_', 'live', 0,
'owner' || (i % 5000), 'service ' || i, '[]', CASE WHEN i % 50 = 0 THEN 'revoked' ELSE 'active' END,
0, :now - i * 7, :now + 86400 * (1 + i % 90), 0, :now - i % 100000, i, '' FROM n"""
INCIDENTS = f"""INSERT INTO incidents (id, subject, state, severity, opened_at, updated_at, owner,
environment, summary, alerts, action, decision)
{SERIES} SELECT printf('inc_%016d', i), (SELECT id FROM keys LIMIT 1 OFFSET 0), CASE i % 4 WHEN 0 THEN 'open'
WHEN 1 THEN 'contained' WHEN 2 THEN 'resolved' ELSE 'false' END,
CASE i % 4 WHEN 0 THEN 'critical' WHEN 1 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END,
:now - i * 120 - 600, :now - i * 120, 'owner1', 'live', 'requests from a hosting network', 3, 'revoke', '{{}}' FROM n"""
BODY = """{"id": "' || printf('alert_%024d', i) || '", "ts": "2026-06-15T15:06:40.000Z", "kind": "anomaly",
"severity": "high", "family": "network", "summary": "requests from a hosting network", "evidence": [{"detector":
"network", "observed": "203.0.113.0/24", "expected": "198.51.100.0/24", "p": 1e-05}], "events":
["2026-06-15T15:00:00Z", "2026-06-15T15:06:40Z", 42], "key": "key_0000000000", "action": "throttle"}"""
ALERTS = f"""INSERT INTO alerts (id, incident_id, ts, subject, kind, severity, body, decision, feedback, recorded_at)
{SERIES} SELECT printf('alert_%024d', i), printf('inc_%016d', i / 3), :now - i * 40, 'key_0000000000', 'anomaly',
CASE i % 3 WHEN 0 THEN 'critical' WHEN 1 THEN 'high' ELSE 'low' END, '{BODY}', '{{"line": "policy.toml:57"}}', '', :now - i * 40 FROM n"""
OUTBOX = f"""INSERT INTO outbox (idempotency_key, alert_id, subject, lane, effect, arguments, state, attempts,
not_before, created_at, done_at)
{SERIES} SELECT 'k' || i, printf('alert_%024d', i), 'key_0000000000', 'effect', 'throttle', '{{"reason": "x"}}', 'done', 1, 0,
:now - i * 40, :now - i * 40 + 0.2 FROM n"""
AUDIT = f"""INSERT INTO audit (seq, at, actor, verb, subject, reason, details, previous_hash, hash)
{SERIES} SELECT i + 1, :now - 100000 + i, 'ann', 'create', 'key_x', '', '{{}}', '', '' FROM n"""
USAGE = f"""INSERT INTO usage (key_id, hour, method, status_class, network, requests, tokens)
{SERIES} SELECT 'key_0000000000', (CAST(:now AS INTEGER) / 3600 - i / 4) * 3600, 'GET', 2 + i % 4, '8.8.8.0/24', 50, 0 FROM n"""
PAGES = ("/", "/incidents", "/incidents?state=", "/incidents?severity=low&state=", "INCIDENT", "/keys",
         "/keys?find=key_000001", "/keys?find=owner42", "/keys?state=revoked", "/keys?state=expired",
         "/keys/key_0000000000", "/actions", "/actions?state=held", "/leaks", "/sources", "/policy",
         "/audit", "/metrics")  # fmt: skip
TIMES = 12


def main() -> None:
    """Make the database, ask, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--incidents", type=int, default=10_000)
    parser.add_argument("--database", default="")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(said.database or Path(folder) / "k.db")
        fresh = not file.exists()
        engine = open_database(f"sqlite:///{file}")
        if fresh:
            fill(engine, said.keys, said.incidents)
        measure(engine, f"sqlite:///{file}")
        engine.dispose()


def fill(engine: Engine, keys: int, incidents: int) -> None:
    """Make keys, incidents with three alerts each, actions, an audit log and use."""
    now = time.time()
    parts = ((KEYS, keys), (INCIDENTS, incidents), (ALERTS, 3 * incidents), (OUTBOX, 2 * incidents),
             (AUDIT, 10 * incidents), (USAGE, 4 * 168))  # fmt: skip
    for statement, n in parts:
        with transaction(engine) as connection:
            connection.execute(text(statement), {"n": n, "now": now})
    with transaction(engine) as connection:
        connection.exec_driver_sql("ANALYZE")


def measure(engine: Engine, url: str) -> None:
    """Ask for every page as an admin, and by the API."""
    with transaction(engine) as connection:
        if users.find(connection, "bench") is None:
            users.add(connection, "bench", "admin", "", actor="bench", now=time.time())
        cookie = sessions.start(connection, "bench", time.time())
        _, token = tokens.create(
            connection, "bench", scopes_of(["read"]), life_s=600, actor="bench", now=time.time()
        )
        known = connection.scalar(text("SELECT id FROM incidents LIMIT 1"))
    print(f"| {'page':34} | first, ms | processor, ms | clock, ms |\n|---|---|---|---|")
    with TestClient(
        site(Desk(engine, Settings(database=url))), base_url="http://127.0.0.1"
    ) as client:
        client.cookies.set("keywatch", cookie)
        client.headers["authorization"] = f"Bearer {token}"
        for path in (*PAGES, "/api/v1/keys", "/api/v1/incidents", "/api/v1/overview"):
            ask(client, path.replace("INCIDENT", f"/incidents/{known}"))


def ask(client: TestClient, path: str) -> None:
    """Print a line of the table."""
    spent, took = [], []
    for _ in range(TIMES):
        clock, cpu = time.perf_counter(), time.process_time()
        answer = client.get(path)
        took.append(1000 * (time.perf_counter() - clock))
        spent.append(1000 * (time.process_time() - cpu))
        assert answer.status_code == 200, (path, answer.status_code)
        time.sleep(
            0.3 if path in ("/", "/api/v1/overview", "/sources") else 0
        )  # past what is kept for a second
    cpu, clock = statistics.median(spent[1:]), statistics.median(took[1:])
    print(f"| {path[:34]:34} | {took[0]:9.0f} | {cpu:13.0f} | {clock:9.0f} |", flush=True)


if __name__ == "__main__":
    main()
