"""Keys that stand in clear in the column of the key: found by their hash, stored nowhere."""

import hmac
import json
import random
import uuid
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.rawkeys import looks_secret, without_keys
from keywatch.replay import KeyList

chance = random.Random(23)
PLAIN, PEPPERED = "legacy-" + chance.randbytes(5).hex(), "old." + chance.randbytes(6).hex()
LONG = urlsafe_b64encode(chance.randbytes(32)).decode()


def part(value):
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JWT = ".".join([part({"alg": "HS256"}), part({"sub": "me", "exp": 1_900_000_000}), LONG[:43]])


def line(key, number, status=200):
    said = {
        "time_iso8601": f"2026-03-02T10:00:{number:02d}+00:00",
        "remote_addr": "203.0.113.7",
        "request": "GET /v1/a HTTP/1.1",
        "status": status,
        "body_bytes_sent": 5,
        "api_key_id": key,
    }
    return json.dumps(said) + "\n"


def stored():
    """Return all bytes of the database."""
    return b"".join(file.read_bytes() for file in Path().glob("here.db*"))


@pytest.fixture
def imported(keywatch):
    Path("keywatch.toml").write_text('[keys.peppers]\nlegacy = "a pepper of a test"\n')
    mac = hmac.digest(b"a pepper of a test", PEPPERED.encode(), "sha256").hex()
    rows = [
        {"hash": sha256(PLAIN.encode()).hexdigest(), "name": "plain", "owner": "a"},
        {"hash": mac, "pepper": "legacy", "name": "peppered", "owner": "b"},
    ]
    Path("old.json").write_text(json.dumps(rows))
    code, _, err = keywatch("keys", "import", "old.json")
    assert code == 0, err
    _, out, _ = keywatch("keys", "list", "--json")
    return {one["name"]: one["id"] for one in json.loads(out)}


def test_imported_keys_are_known_by_their_hash_told_of_and_stored_nowhere(
    keywatch, as_json, imported
):
    log = Path("access.log")
    values = [PLAIN, PEPPERED, f"Bearer {PLAIN}", LONG, JWT, "partner-7"]
    lines = [line(value, number) for number, value in enumerate(values)]
    lines += [line(PLAIN, 20, status="odd"), f"{PEPPERED} is no event, nor is {LONG}\n"]
    log.write_text("".join(lines))
    watch = ("watch", "--once", "--access-log", str(log), "--format", "nginx-json")
    code, out, err = keywatch(*watch)
    assert code == 0, err
    raw = stored()
    for secret in (PLAIN, PEPPERED, LONG, JWT):
        assert secret.encode() not in raw
        assert secret not in out + err
    exposed = [one for one in as_json("alerts", "list") if one["kind"] == "exposed-in-log"]
    told = {one["key"] for one in exposed}
    assert {imported["plain"], imported["peppered"]} < told
    assert len(exposed) == 4  # two keys; what looks like secrets, and tokens, once each
    letters = as_json("deadletters", "list")
    assert len(letters) == 2
    assert all("credential:" in letter["raw"] for letter in letters)
    code, out, err = keywatch("doctor", "--access-log", str(log))
    assert code == 0, err
    assert imported["plain"] in out
    assert not any(secret in out + err for secret in (PLAIN, PEPPERED, LONG, JWT))


def test_a_key_that_is_imported_later_is_known_from_then_on(keywatch, as_json, imported):
    log = Path("access.log")
    log.write_text(line("later-12345", 1))
    watch = ("watch", "--once", "--access-log", str(log), "--format", "nginx-json")
    assert keywatch(*watch)[0] == 0
    assert as_json("alerts", "list") == []
    digest = sha256(b"later-12345").hexdigest()
    Path("new.json").write_text(json.dumps([{"hash": digest, "name": "later"}]))
    assert keywatch("keys", "import", "new.json")[0] == 0
    with log.open("a") as file:
        file.write(line("later-12345", 2))
    assert keywatch(*watch)[0] == 0
    (alert,) = as_json("alerts", "list")
    assert alert["key"] not in imported.values()
    assert alert["key"].startswith("key_")


def test_without_a_store_ids_stay_and_secrets_go(keywatch):
    log, kept = Path("access.log"), ["partner-7", str(uuid.UUID(int=chance.getrandbits(128)))]
    lines = [line(value, n) for n, value in enumerate([*kept, LONG, f"Bearer {JWT}", "Basic x9"])]
    log.write_text("".join(lines))
    watch = ("watch", "--once", "--access-log", str(log), "--format", "nginx-json")
    code, out, err = keywatch(*watch)
    assert code == 0, err
    raw = stored()
    assert all(value.encode() in raw for value in kept)
    for secret in (LONG, JWT, "Basic x9", "Bearer"):
        assert secret.encode() not in raw
        assert secret not in out + err


@given(st.integers(1, 2**60))
def test_what_is_random_looks_secret_and_what_is_an_id_does_not(seed):
    draw = random.Random(seed)
    raw = draw.randbytes(32)
    for value in (raw.hex(), urlsafe_b64encode(raw).decode(), b64encode(raw).decode(), JWT):
        assert looks_secret(value)
        assert looks_secret(f"Bearer {value}")
    one = uuid.UUID(bytes=raw[:16], version=4)
    for value in (str(one), one.hex, f"user:{one}", raw[:12].hex(), f"key_{raw[:10].hex()}"):
        assert not looks_secret(value)


@pytest.mark.parametrize(
    "value",
    [
        "payments-service-production-eu-west-1-2024",
        "arn:aws:sts::123456789012:assumed-role/Deployer/session-of-somebody",
        "somebody.with.a.long.name+and.more@organisation.example",
        "CN=client of somebody, O=Organisation, C=DE",
        "01J9ZK3M8Q4R7T2V5X6Y8B0C1D",
        "12345678901234567890123456789012345",
    ],
)
def test_names_and_numbers_are_ids(value):
    assert not looks_secret(value)


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_no_line_is_lost_and_nothing_breaks_over_bytes_that_are_no_text(lines):
    assert len(without_keys(lines, KeyList())) == len(lines)
