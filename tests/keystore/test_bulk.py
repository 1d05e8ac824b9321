import os
import signal
import subprocess
import sys
from contextlib import suppress
from hashlib import sha256
from hmac import digest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.transaction import reading
from keystore import audit, feed
from keystore.bulk import Import
from keystore.denials import Denial
from keystore.imported import FIELDS, row_of_import
from keystore.keys import Declared
from keystore.scheme import KeyScheme
from vocabulary.credential import credential_of
from vocabulary.errors import KeyStoreError, UsageError

SCHEME = KeyScheme()
IMPORTER = Path(__file__).with_name("importer.py")
NOW = 1_750_000_000.0


class Crash(Exception):  # noqa: N818  (it is one)
    """The process dies."""


def hash_of(number):
    return sha256(b"key %d" % number).hexdigest()


def importing(store, name="first", source="s"):
    return Import(
        store.engine, name, source, scheme=SCHEME, peppers=("old",), actor="ann", clock=store.clock
    )


def nothing(_progress, _refused):
    """Tell nobody."""


def test_keys_are_found_by_the_secrets_that_they_were_made_from(store):
    secret, weak = "a secret", "hunter2"
    rows = [
        {"hash": sha256(secret.encode()).hexdigest().upper(), "owner": "o", "account": "acme"},
        {"hash": digest(b"a pepper", weak.encode(), "sha256").hex(), "pepper": "old"},
        {"public_id": "AKIDEXAMPLE", "store": "aws", "external_id": "iam:AKIDEXAMPLE"},
    ]
    done = importing(store).run(rows, nothing)
    assert (done.accepted, done.refused, done.done) == (3, 0, True)
    public = credential_of("x", public_id="AKIDEXAMPLE")
    found = store.find(
        [
            store.credential(secret),
            store.credential(weak),
            public,
        ]
    )
    assert [key.verdict for key in found] == ["live"] * 3
    assert store.get(found[0].key_id).account_id == "acme"
    assert store.get(found[2].key_id).store == "aws"
    assert store.find([credential_of(weak)]) == [None]


def test_a_key_on_the_deny_list_is_not_taken_over(local):
    local.denials.deny(Denial(kind="credential", value=hash_of(2)), actor="ann")
    told = []
    rows = [{"hash": hash_of(number)} for number in (1, 2, 3)]
    done = importing(local).run(rows, lambda _, refused: told.extend(refused))
    assert (done.accepted, done.refused) == (2, 1)
    assert [(one.number, one.reason) for one in told] == [(2, "the key is on the deny list")]


def imported(url, killed_at):
    """Import in a process that is killed before so many pieces are committed; return its end."""
    command = [sys.executable, IMPORTER, url, "60"]
    environ = {**os.environ, "PYTHONPATH": str(IMPORTER.parents[2])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environ, **pipes) as process:
        for _ in range(killed_at):
            assert process.stdout.readline()
            process.stdin.write(b"\n")
            process.stdin.flush()
        if killed_at:
            assert process.stdout.readline()
            process.kill()
        process.communicate()
    return process.returncode


def test_an_import_that_is_killed_goes_on_where_it_was(local):
    url = str(local.engine.url)
    assert imported(url, killed_at=2) == -signal.SIGKILL
    assert len(local.list(limit=None)) == 20
    assert imported(url, killed_at=0) == 0
    keys = local.list(limit=None)
    assert len({key.hash for key in keys}) == len(keys) == 60
    with reading(local.engine) as connection:
        assert audit.verify(connection).broken_at == 0
        pieces = audit.rows_of(connection, "import:all")
    assert [row.details["keys"] for row in pieces] == [10] * 6


def test_what_a_row_says_is_what_the_key_is(local):
    row = {
        "hash": hash_of(1), "name": "n", "environment": "test", "publishable": "yes",
        "class": "ai", "tz": "Europe/Paris", "scopes": "read write", "networks": "10.0.0.0/8",
        "endpoints": "GET /a|POST /b", "models": '["gpt-*"]', "limits": "5/s", "state": "revoked",
        "tokens_per_day": "7", "declared": '{"countries": ["fr"], "hours": [8, 9]}',
        "created_at": "2024-01-02T03:04:05Z", "expires_at": "1900000000", "prefix": "sk",
    }  # fmt: skip
    importing(local).run([row], nothing)
    (key,) = local.list()
    assert (key.scopes, key.networks) == (("read", "write"), ("10.0.0.0/8",))
    assert (key.endpoints, key.models) == (("GET /a", "POST /b"), ("gpt-*",))
    assert key.declared == Declared(countries=("FR",), hours=(8, 9))
    assert (key.created_at, key.expires_at) == (1704164645.0, 1.9e9)
    assert (key.environment, key.publishable, key.key_class) == ("test", True, "ai")
    assert local.restore(key.id, actor="a").state == "active"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"hash": "abc"}, "hash"),
        ({}, "hash"),
        ({"hash": hash_of(1), "pepper": "new"}, "pepper"),
        ({"hash": hash_of(1), "colour": "red"}, "colour"),
        ({"hash": hash_of(1), "environment": "mars"}, "environment"),
        ({"hash": hash_of(1), "networks": "10.0.0.1/8"}, "network"),
        ({"hash": hash_of(1), "state": "sleeping"}, "sleeping"),
        ({"hash": hash_of(1), "plan": "none"}, "plan"),
        ({"hash": hash_of(1), "publishable": "perhaps"}, "publishable"),
        ({"hash": hash_of(1), "tokens_per_day": "many"}, "tokens_per_day"),
        ({"hash": hash_of(1), "expires_at": "soon"}, "expires_at"),
        ({"hash": hash_of(1), "expires_at": "nan"}, "expires_at"),
        ({"hash": hash_of(1), "declared": '{"speed": 1}'}, "declared"),
        ({"hash": hash_of(1), "scopes": {"a": 1}}, "scopes"),
        ({"hash": hash_of(1), "networks": "[10.0.0.0/8"}, "network"),
        ("no JSON object", "no JSON"),
    ],
)
def test_a_row_that_cannot_be_taken_is_reported_and_the_others_are(local, row, reason):
    told = []
    rows = [{"hash": hash_of(0)}, row, {"hash": hash_of(2)}]
    done = importing(local).run(rows, lambda _, refused: told.extend(refused))
    assert (done.accepted, done.refused) == (2, 1)
    assert [each.number for each in told] == [2]
    assert reason in told[0].reason
    assert hash_of(1) not in told[0].reason


def test_doubles_are_refused_within_a_piece_and_across(store):
    told = []
    rows = [{"hash": hash_of(n)} for n in (1, 2, 1, 3, 2)]
    done = importing(store).run(rows, lambda _, refused: told.extend(refused), piece=3)
    assert (done.accepted, [each.number for each in told]) == (3, [3, 5])
    again = importing(store, "second").run(rows[:2], nothing)
    assert (again.accepted, again.refused) == (0, 2)


def test_an_import_that_crashed_goes_on_where_it_was(store):
    rows = [{"hash": hash_of(n), "account": f"a{n % 3}"} for n in range(25)]

    def crash(progress, _refused):
        if progress.position == 20:
            raise Crash

    with suppress(Crash):
        importing(store).run(iter(rows), crash, piece=10)
    assert importing(store).begin().position == 10
    assert len(store.list()) == 10
    done = importing(store).run(iter(rows), nothing, piece=10)
    assert (done.position, done.accepted, done.refused) == (25, 25, 0)
    assert len(store.list()) == 25
    assert importing(store).run(iter(rows), nothing) == done


def test_another_source_under_the_same_name_is_refused(local):
    importing(local).run([{"hash": hash_of(1)}], nothing)
    with pytest.raises(KeyStoreError):
        importing(local, source="another").begin()


def test_a_piece_is_one_change_and_one_row_of_the_log(store):
    importing(store).run([{"hash": hash_of(n)} for n in range(9)], nothing, piece=5)
    with reading(store.engine) as connection:
        told = [change.key_id for change in feed.changes_since(connection, 0)]
        rows = audit.rows_of(connection, "import:first")
        assert audit.verify(connection).broken_at == 0
    assert told == [feed.NEW_KEYS] * 2
    assert [row.details["keys"] for row in rows] == [5, 4]


anything = st.one_of(
    st.none(), st.text(max_size=20), st.integers(), st.floats(), st.booleans(),
    st.lists(st.text(max_size=5), max_size=3), st.dictionaries(st.text(max_size=3), st.integers()),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*FIELDS, "other"]), anything))
def test_whatever_a_row_holds_it_is_a_key_or_refused(fields):
    with suppress(UsageError):
        row = row_of_import({"hash": "ab" * 32, **fields}, SCHEME, ("old",), NOW)
        assert len(row.key.hash) == 64
        assert row.key.created_at <= NOW
