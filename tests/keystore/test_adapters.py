"""One contract over every kind of store in which keys may live."""

import base64
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber
from sqlalchemy import text
from standardwebhooks import Webhook

from database.transaction import open_database, transaction
from keystore import adapters
from keystore.adapters import Adapter
from keystore.adapters.aws import Aws
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from tests.httpd import serving
from tests.keystore.kong import Kong
from tests.keystore.vault import Vault
from vocabulary.credential import Credential, credential_of
from vocabulary.errors import ConfigError, KeyNotFoundError, ServiceError, UsageError

SIGNING = "whsec_" + base64.b64encode(b"s" * 32).decode()
ADMIN = "an admin token"


@dataclass
class Place:
    """A store with one key, and what it says of it when it is asked directly."""

    adapter: Adapter
    credential: Credential
    lets_in: Callable[[], bool]
    missing: str
    limit: Callable[[], int | None] | None = None
    unknown: Credential = field(default_factory=lambda: credential_of("nobody's"))
    asked: list = field(default_factory=list)


def make_keywatch(stack, tmp_path):
    url = f"sqlite:///{tmp_path / 'theirs.db'}"
    store = KeyStore(open_database(url))
    stack.callback(store.engine.dispose)
    issued = store.create(KeyOrder(), actor="a")
    return Place(
        adapters.make({"name": "x", "type": "keywatch", "url": url}),
        credential_of(issued.secret),
        lambda: store.get(issued.key.id).state == "active",
        "key_none",
        lambda: store.get(issued.key.id).throttle_per_min,
    )


def make_sql(stack, tmp_path, url=""):
    url = url or f"sqlite:///{tmp_path / 'theirs.db'}"
    engine = open_database(url)
    stack.callback(engine.dispose)
    credential = credential_of("a key of theirs")
    with transaction(engine) as connection:
        connection.execute(
            text(
                'CREATE TABLE "api keys" (id INTEGER PRIMARY KEY, digest TEXT, enabled BOOLEAN,'
                " per_min INTEGER, title TEXT)"
            )
        )
        connection.execute(
            text("INSERT INTO \"api keys\" VALUES (7, :d, true, NULL, 'mobile')"),
            {"d": credential.sha256},
        )

    def column(name):
        with engine.connect() as connection:
            return connection.execute(text(f'SELECT {name} FROM "api keys"')).scalar_one()

    options = {
        "name": "x", "type": "sql", "url": url, "table": "api keys", "id_column": "id",
        "state_column": "enabled", "active_value": "true", "revoked_value": "false",
        "hash_column": "digest", "throttle_column": "per_min", "name_column": "title",
    }  # fmt: skip
    return Place(
        adapters.make(options),
        credential,
        lambda: bool(column("enabled")),
        "8",
        lambda: column("per_min"),
    )


def make_http(stack, tmp_path):
    credential = credential_of("a key of theirs", peppers={"p": b"pepper"})
    key = {"active": True, "per_min": None}

    def answer(asked):
        said = json.loads(Webhook(SIGNING).verify(asked.body, asked.headers) and asked.body)
        if said["type"] == "key.find":
            if said["credential"]["hmacs"].get("p") != credential.hmacs["p"]:
                return 404, {}, b""
            return 200, {}, json.dumps({"id": "7", "active": key["active"], "more": 1}).encode()
        if said["id"] != "7":
            return 404, {}, b""
        if said["type"] == "key.throttle":
            key["per_min"] = said["per_min"]
        else:
            key.update(active=said["type"] == "key.restore", per_min=None)
        return 204, {}, b""

    server = stack.enter_context(serving(answer))
    options = {"name": "x", "type": "http", "url": f"{server.url}/hook", "secret": SIGNING}
    return Place(
        adapters.make(options),
        credential,
        lambda: key["active"],
        "8",
        lambda: key["per_min"],
        asked=server.asked,
    )


def make_kong(stack, tmp_path):
    kong = Kong(ADMIN)
    for number in range(3):
        kong.add(f"other {number}", f"other key {number}")
    key = kong.add("mobile", "a key of theirs")
    server = stack.enter_context(serving(kong))
    options = {"name": "x", "type": "kong", "url": server.url, "secret": ADMIN}
    return Place(
        adapters.make(options),
        credential_of("a key of theirs"),
        lambda: kong.lets_in(key),
        "k99",
        lambda: kong.limit(key),
        asked=server.asked,
    )


def make_vault(stack, tmp_path):
    vault = Vault(ADMIN)
    vault.put("apps/other", key="another")
    place = vault.put("apps/deep/mobile app", key="a key of theirs", user="u")
    server = stack.enter_context(serving(vault))
    options = {"name": "x", "type": "vault", "url": server.url, "secret": ADMIN, "path": "apps"}
    return Place(
        adapters.make(options),
        credential_of("a key of theirs"),
        lambda: vault.lets_in(place),
        "apps/none",
        asked=server.asked,
    )


def aws_clients(stack, monkeypatch=None):
    from moto import mock_aws  # noqa: PLC0415  (dear, and each of pytest's processes imports this)

    stack.enter_context(mock_aws())
    more = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "s"}
    return SimpleNamespace(
        iam=boto3.client("iam", **more), gateway=boto3.client("apigateway", **more)
    )


def make_aws_iam(stack, tmp_path):
    aws = aws_clients(stack)
    aws.iam.create_user(UserName="deploy")
    _, key = (aws.iam.create_access_key(UserName="deploy")["AccessKey"] for _ in range(2))

    def lets_in():
        listed = aws.iam.list_access_keys(UserName="deploy")["AccessKeyMetadata"]
        said = {each["AccessKeyId"]: each["Status"] for each in listed}
        return said[key["AccessKeyId"]] == "Active"

    credential = credential_of(key["SecretAccessKey"], public_id=key["AccessKeyId"])
    return Place(
        Aws(aws.iam, aws.gateway, "stores.x"),
        credential,
        lets_in,
        "iam:" + key["AccessKeyId"][:-4] + "AAAA",
        unknown=credential_of("x", public_id=key["AccessKeyId"][:-4] + "AAAA"),
    )


def make_aws_gateway(stack, tmp_path):
    aws = aws_clients(stack)
    key = aws.gateway.create_api_key(name="mobile", enabled=True, value="a key of theirs, long")
    return Place(
        Aws(aws.iam, aws.gateway, "stores.x"),
        credential_of("a key of theirs, long"),
        lambda: aws.gateway.get_api_key(apiKey=key["id"])["enabled"],
        "api:none",
    )


MAKERS = {
    "keywatch": make_keywatch, "sql": make_sql, "http": make_http, "kong": make_kong,
    "vault": make_vault, "aws-iam": make_aws_iam, "aws-gateway": make_aws_gateway,
}  # fmt: skip


@pytest.fixture(params=MAKERS)
def place(request, tmp_path):
    with ExitStack() as stack:
        yield MAKERS[request.param](stack, tmp_path)


def test_every_kind_is_under_the_contract():
    assert set(adapters.kinds()) == {name.split("-")[0] for name in MAKERS}


def test_a_key_is_found_by_its_credential_and_by_nothing_else(place):
    found = place.adapter.find(place.credential)
    assert found.id
    assert found.active
    assert place.adapter.find(place.unknown) is None


def test_a_key_is_revoked_and_restored_again_and_again(place):
    found = place.adapter.find(place.credential)
    for _ in range(2):
        for _ in range(2):
            place.adapter.revoke(found.id)
            assert not place.lets_in()
            again = place.adapter.find(place.credential)
            assert (again.id, again.active) == (found.id, False)
        for _ in range(2):
            place.adapter.restore(found.id)
            assert place.lets_in()
            assert place.adapter.find(place.credential).active


def test_a_key_is_throttled_or_that_is_said_to_be_impossible(place):
    found = place.adapter.find(place.credential)
    if place.limit is None:
        with pytest.raises(UsageError):
            place.adapter.throttle(found.id, 30)
        return
    for per_min in (30, 20):
        place.adapter.throttle(found.id, per_min)
        assert place.limit() == per_min
        assert place.lets_in()
    place.adapter.restore(found.id)
    assert place.limit() is None


def test_a_key_that_is_not_there_is_told(place):
    for verb in (place.adapter.revoke, place.adapter.restore):
        with pytest.raises(KeyNotFoundError):
            verb(place.missing)


def test_no_secret_travels_to_the_store(place):
    found = place.adapter.find(place.credential)
    place.adapter.revoke(found.id)
    for asked in place.asked:
        assert b"a key of theirs" not in asked.body
        assert "theirs" not in asked.path


@pytest.mark.parametrize("kind", ["http", "kong", "vault"])
def test_a_store_that_is_away_or_talks_nonsense_is_told_without_a_secret(kind):
    for answer in (lambda _: 1 / 0, lambda _: (500, {}, b""), lambda _: (200, {}, b"[" * 9999)):
        with serving(answer) as server:
            options = {"name": "x", "type": kind, "url": server.url, "secret": SIGNING}
            adapter = adapters.make(options)
            with pytest.raises(ServiceError) as told:
                adapter.find(credential_of("k"))
            assert SIGNING not in f"{told.value}{adapter!r}{vars(adapter)}"


def test_a_database_that_is_away_is_told(tmp_path):
    with ExitStack() as stack:
        place = make_sql(stack, tmp_path)
    (tmp_path / "theirs.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(ServiceError):
        place.adapter.find(place.credential)


@pytest.mark.service
def test_a_table_in_postgresql(tmp_path, postgresql_url):
    with ExitStack() as stack:
        place = make_sql(stack, tmp_path, postgresql_url)
        found = place.adapter.find(place.credential)
        place.adapter.revoke(found.id)
        place.adapter.throttle(found.id, 5)
        assert (place.lets_in(), place.limit()) == (False, 5)
        place.adapter.restore(found.id)
        assert (place.lets_in(), place.limit()) == (True, None)
        for wrong in ("8", "seven"):
            with pytest.raises(KeyNotFoundError):
                place.adapter.revoke(wrong)


def test_a_public_id_is_no_proof_where_the_table_has_hashes(tmp_path):
    with ExitStack() as stack:
        place = make_sql(stack, tmp_path)
        assert place.adapter.find(credential_of("made up", public_id="7")) is None


def test_a_vault_token_is_revoked_by_its_accessor_for_good():
    vault = Vault(ADMIN)
    vault.accessors["acc"] = "deploy"
    with serving(vault) as server:
        options = {"name": "x", "type": "vault", "url": server.url, "secret": ADMIN}
        adapter = adapters.make(options)
        found = adapter.find(credential_of("a token", public_id="acc"))
        assert (found.active, found.name) == (True, "deploy")
        adapter.revoke(found.id)
        assert vault.accessors == {}
        with pytest.raises(UsageError):
            adapter.restore(found.id)
        with pytest.raises(KeyNotFoundError):
            adapter.revoke(found.id)


def test_a_vault_token_that_keywatch_may_not_revoke_is_not_said_to_be_gone():
    vault = Vault(ADMIN)
    vault.accessors["acc"] = "deploy"
    vault.forbidden = {"revoke-accessor"}
    with ExitStack() as stack:
        adapter = vault_of(stack, vault)
        found = adapter.find(credential_of("a token", public_id="acc"))
        with pytest.raises(ServiceError, match="refuses to revoke"):
            adapter.revoke(found.id)


def test_a_value_that_vault_destroyed_is_not_said_to_be_restored():
    vault = Vault(ADMIN)
    place = vault.put("app", key="a key of theirs")
    with ExitStack() as stack:
        adapter = vault_of(stack, vault)
        adapter.revoke(place)
        vault.destroy(place)
        with pytest.raises(UsageError, match="destroyed"):
            adapter.restore(place)
    assert not vault.lets_in(place)


def test_a_rotated_value_of_vault_is_not_the_old_key_any_more():
    vault = Vault(ADMIN)
    vault.put("app", key="old")
    with serving(vault) as server:
        options = {"name": "x", "type": "vault", "url": server.url, "secret": ADMIN}
        adapter = adapters.make(options)
        assert adapter.find(credential_of("old"))
        vault.put("app", key="new")
        assert adapter.find(credential_of("old")) is None
        assert adapter.find(credential_of("new")).active


@pytest.mark.parametrize(
    "options",
    [
        {"type": "luck"},
        {"type": "sql", "url": "sqlite://"},
        {"type": "sql", "url": "sqlite://", "table": "t", "id_column": "i", "state_column": "s"},
        {"type": "http", "url": "https://x", "secret": "short"},
        {"type": "http", "url": "http://store.example", "secret": SIGNING},
        {"type": "kong"},
        {"type": "vault", "url": "https://x"},
    ],
)
def test_a_store_that_is_configured_wrong_is_refused(options):
    with pytest.raises(ConfigError):
        adapters.make({"name": "x", **options})


def test_a_table_that_lacks_what_is_named(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    open_database(url).dispose()
    options = {"name": "x", "type": "sql", "url": url, "id_column": "id", "hash_column": "hash"}
    for more in ({"table": "none", "state_column": "s"}, {"table": "keys", "state_column": "s"}):
        with pytest.raises(ConfigError):
            adapters.make(options | more).revoke("k")


@pytest.mark.parametrize("kind", ["kong", "vault"])
def test_many_unknown_keys_do_not_read_the_store_through_each(kind, tmp_path):
    with ExitStack() as stack:
        place = MAKERS[kind](stack, tmp_path)
        place.adapter.find(place.credential)
        before = len(place.asked)
        for number in range(50):
            assert place.adapter.find(credential_of(f"unknown {number}")) is None
        assert len(place.asked) == before
        assert place.adapter.find(place.credential).active


def test_a_change_that_kong_refuses_is_told():
    kong = Kong(ADMIN)
    key = kong.add("mobile", "a key of theirs")

    def reads_only(asked):
        return kong(asked) if asked.method == "GET" else (503, {}, b"")

    with serving(kong) as willing, serving(reads_only) as refusing:
        options = {"name": "x", "type": "kong", "secret": ADMIN}
        adapter = adapters.make({**options, "url": refusing.url})
        with pytest.raises(ServiceError, match="503"):
            adapter.revoke(key)
        adapters.make({**options, "url": willing.url}).revoke(key)
        with pytest.raises(ServiceError, match="503"):
            adapter.restore(key)
    assert not kong.lets_in(key)


def test_a_key_that_kong_has_no_more_is_not_found():
    kong = Kong(ADMIN)
    key = kong.add("mobile", "a key of theirs")
    with serving(kong) as server:
        options = {"name": "x", "type": "kong", "url": server.url, "secret": ADMIN}
        adapter = adapters.make(options)
        assert adapter.find(credential_of("a key of theirs")).id == key
        del kong.keys[key]
        assert adapter.find(credential_of("a key of theirs")) is None


@pytest.mark.parametrize(("status", "error"), [(501, UsageError), (500, ServiceError)])
def test_what_another_store_cannot_do_is_told_apart_from_what_it_did_not_do(status, error):
    with serving(lambda _: (status, {}, b"")) as server:
        options = {"name": "x", "type": "http", "url": server.url, "secret": SIGNING}
        with pytest.raises(error, match=str(status)):
            adapters.make(options).throttle("7", 30)


def vault_of(stack, vault, **more):
    server = stack.enter_context(serving(vault))
    options = {"name": "x", "type": "vault", "url": server.url, "secret": ADMIN, **more}
    return adapters.make(options)


def test_an_accessor_that_vault_does_not_know_says_nothing_of_the_value():
    vault = Vault(ADMIN)
    vault.put("app", key="a key of theirs")
    with ExitStack() as stack:
        adapter = vault_of(stack, vault)
        assert adapter.find(credential_of("a key of theirs", public_id="acc")).id == "app"


def test_an_empty_place_of_vault_has_no_keys():
    with ExitStack() as stack:
        assert vault_of(stack, Vault(ADMIN), path="none").find(credential_of("k")) is None


def test_folders_of_vault_without_end_are_not_followed_for_ever():
    def endless(asked):
        assert asked.path.count("/deeper") < 30
        return 200, {}, json.dumps({"data": {"keys": ["deeper/"]}}).encode()

    with ExitStack() as stack:
        assert vault_of(stack, endless).find(credential_of("k")) is None


def stubbed(stack, name):
    """Return boto3's client of a service, and what it will be answered."""
    more = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "s"}
    client = boto3.client(name, **more)
    return client, stack.enter_context(Stubber(client))


ACCESS_KEY = "AKIA" + "A" * 16
LAST_USED = {"LastUsedDate": datetime(2026, 1, 1, tzinfo=UTC), "ServiceName": "s3", "Region": "r"}


def test_an_access_key_that_its_user_has_no_more_is_not_found():
    with ExitStack() as stack:
        iam, answers = stubbed(stack, "iam")
        told = {"UserName": "deploy", "AccessKeyLastUsed": LAST_USED}
        answers.add_response("get_access_key_last_used", told)
        answers.add_response("list_access_keys", {"AccessKeyMetadata": []})
        credential = credential_of("x", public_id=ACCESS_KEY)
        assert Aws(iam, None, "stores.x").find(credential) is None
        answers.add_response("get_access_key_last_used", told)
        answers.add_client_error("list_access_keys", "NoSuchEntity")
        assert Aws(iam, None, "stores.x").find(credential) is None


def test_what_aws_refuses_is_told_without_what_it_echoes():
    with ExitStack() as stack:
        iam, answers = stubbed(stack, "iam")
        adapter = Aws(iam, None, "stores.x")
        for verb in (adapter.revoke, adapter.restore):
            answers.add_client_error("get_access_key_last_used", "Throttling", "an echo")
            with pytest.raises(ServiceError, match="Throttling") as told:
                verb(f"iam:{ACCESS_KEY}")
            assert "echo" not in str(told.value)


def test_a_key_of_api_gateway_that_was_deleted_is_not_found_any_more():
    with ExitStack() as stack:
        aws = aws_clients(stack)
        key = aws.gateway.create_api_key(name="n", enabled=True, value="a key of theirs, long")
        adapter = Aws(aws.iam, aws.gateway, "stores.x")
        assert adapter.find(credential_of("a key of theirs, long"))
        aws.gateway.delete_api_key(apiKey=key["id"])
        assert adapter.find(credential_of("a key of theirs, long")) is None


def test_without_a_region_only_access_keys_are_looked_for():
    with ExitStack() as stack:
        aws_clients(stack)
        plain = adapters.make({"name": "x", "type": "aws"})
        assert plain.find(credential_of("a key of theirs, long")) is None
        with pytest.raises(KeyNotFoundError):
            plain.revoke("api:7")
        both = adapters.make({"name": "x", "type": "aws", "region": "eu-west-1"})
        boto3.client("apigateway", region_name="eu-west-1").create_api_key(
            enabled=True, value="a key of theirs, long"
        )
        assert both.find(credential_of("a key of theirs, long")).active


def test_without_boto3_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError) as told:
        adapters.make({"name": "x", "type": "aws"})
    assert "keywatch[aws]" in told.value.remedy


def public_table(tmp_path, states):
    """Return the options of a table that knows keys by their public part, and their states."""
    url = f"sqlite:///{tmp_path / 'public.db'}"
    engine = open_database(url)
    with transaction(engine) as connection:
        connection.execute(text("CREATE TABLE clients (name TEXT, pub TEXT, state)"))
        for number, state in enumerate(states):
            row = {"name": f"n{number}", "pub": f"P{number}", "state": state}
            connection.execute(text("INSERT INTO clients VALUES (:name, :pub, :state)"), row)
    engine.dispose()
    return {
        "name": "x", "type": "sql", "url": url, "table": "clients", "id_column": "name",
        "state_column": "state", "public_id_column": "pub",
    }  # fmt: skip


def test_a_table_without_hashes_is_asked_by_the_public_id(tmp_path):
    adapter = adapters.make(public_table(tmp_path, ["active", "revoked"]))
    found = [adapter.find(credential_of("x", public_id=f"P{number}")) for number in range(3)]
    assert [each and (each.id, each.active, each.public_id) for each in found] == [
        ("n0", True, "P0"),
        ("n1", False, "P1"),
        None,
    ]
    assert adapter.find(credential_of("x")) is None
    adapter.revoke("n0")
    assert not adapter.find(credential_of("x", public_id="P0")).active
    with pytest.raises(UsageError, match="throttle"):
        adapter.throttle("n0", 5)


def test_a_value_that_does_not_fit_its_column_is_told(tmp_path):
    with ExitStack() as stack:
        make_sql(stack, tmp_path)
    options = {
        "name": "x", "type": "sql", "url": f"sqlite:///{tmp_path / 'theirs.db'}",
        "table": "api keys", "id_column": "id", "state_column": "enabled",
        "active_value": "perhaps", "hash_column": "digest",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="active_value"):
        adapters.make(options).restore("7")
