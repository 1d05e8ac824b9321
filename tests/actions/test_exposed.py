"""How a key stood open, and who has used it since."""

import json
from datetime import UTC, datetime

import pytest

from actions.exposed import exposures
from database.schema import findings
from database.transaction import reading, transaction
from keystore import usage
from keystore.usage import HOUR_S, Use
from keywatch.desk import looking
from tests.actions.desk import START, alert_about
from tests.actions.messages import HOSTILE
from vocabulary.moments import rfc3339

OPEN = START + 2 * 86_400 + 120  # two minutes past an hour and twenty seconds
HOUR = int(OPEN // HOUR_S) * HOUR_S
HOME, THIEF, OTHER = "192.0.2.0/24", "203.0.113.0/24", "198.51.100.0/24"


def leaked(desk, key, *dates, seen_at=OPEN, fingerprint="f" * 64, **body):
    places = [
        {"path": "settings.py", "line": 3, "author": f"dev {n}", "date": date, "commit": "c" * 40}
        for n, date in enumerate(dates)
    ]
    finding = {
        "rule": "sk", "name": "a key", "severity": "critical", "confidence": "high",
        "source": "git", "secret": "sk_live_[REDACTED]", "environment": "live", "verdict": {},
        "commit": "", "author": "", "date": "", "path": "settings.py", "line": 3,
        "places": places, "count": len(places), **body,
    }  # fmt: skip
    row = {"fingerprint": fingerprint, "key_id": key, "body": finding}
    with transaction(desk.engine) as connection:
        connection.execute(
            findings.insert().values(**row, first_seen_at=seen_at, last_seen_at=seen_at)
        )


def used(desk, key, *uses):
    rows = [
        Use(key, int(at // HOUR_S) * HOUR_S, "GET", status, network, n, 0, at)
        for at, network, n, status in uses
    ]
    with transaction(desk.engine) as connection:
        usage.record(connection, rows, {}, desk.now)


def of(desk, key):
    with reading(desk.engine) as connection:
        return exposures(connection, key)


def at(moment):
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M}Z"


def test_an_exposure_is_joined_with_the_foreign_use_since(desk):
    key = desk.key()
    desk.now = OPEN + 3600
    leaked(desk, key, rfc3339(OPEN), seen_at=OPEN + 60, exposure="public", repository="r")
    used(
        desk,
        key,
        (OPEN - 86_400, HOME, 50, 2),
        (OPEN + 30, HOME, 7, 2),
        (OPEN + 420, THIEF, 200, 2),
        (OPEN + 430, THIEF, 12, 4),
        (OPEN + 900, OTHER, 1, 2),
    )
    desk.store.revoke(key, actor="ann")
    (one,) = of(desk, key)
    assert one.use.foreign == ((THIEF, 212, OPEN + 420), (OTHER, 1, OPEN + 900))
    assert (one.use.requests, one.use.refused) == (220, 12)
    assert (one.authors, one.ended_at, one.exposed_at) == (("dev 0",), OPEN + 3600, OPEN)
    said = one.sentence()
    assert f"exposed {datetime.fromtimestamp(OPEN, UTC):%Y-%m-%d %H:%M}Z (public)" in said
    assert f"first foreign network {THIEF} at {at(OPEN + 420)}; 213 requests from 2" in said
    assert f"ended at {at(OPEN + 3600)}" in said


def test_who_used_it_within_the_hour_before_is_no_stranger(desk):
    key = desk.key()
    leaked(desk, key, rfc3339(OPEN))
    used(desk, key, (HOUR + 5, HOME, 3, 2), (OPEN + 60, HOME, 4, 2))
    (one,) = of(desk, key)
    assert one.use.foreign == ()
    assert "all from networks it was used from before" in one.sentence()


def test_nothing_is_foreign_where_nobody_counted_before(desk):
    key = desk.key()
    leaked(desk, key, rfc3339(OPEN))
    assert "not used since" in of(desk, key)[0].sentence()
    used(desk, key, (OPEN + 60, HOME, 4, 2))
    (one,) = of(desk, key)
    assert not one.use.known
    assert "4 requests, and nothing is known of its use before" in one.sentence()


@pytest.mark.parametrize(
    ("dates", "exposed_at"),
    [
        (["1999-01-01T00:00:00Z"], START),  # before the key was made
        ([rfc3339(OPEN + 9e6)], OPEN),  # after it was seen
        (["soon", rfc3339(OPEN - 60)], OPEN - 60),
        ([], OPEN),
    ],
)
def test_dates_of_commits_are_believed_within_reason(desk, dates, exposed_at):
    key = desk.key()
    leaked(desk, key, *dates)
    assert of(desk, key)[0].exposed_at == exposed_at


def test_a_key_in_a_log_was_exposed_too(desk):
    key = desk.key()
    desk.answer(alert_about(key, kind="exposed-in-log", family="leak", severity="medium"))
    (one,) = of(desk, key)
    assert (one.exposure, one.found) == ("log", "alert_1")


def test_it_is_told_wherever_the_incident_is(desk, run):
    desk.now = OPEN
    key = desk.key(owner=HOSTILE)
    desk.now = OPEN + 900
    leaked(
        desk, key, rfc3339(OPEN + 60), seen_at=OPEN + 65, exposure="private", fingerprint="a" * 64
    )
    leaked(desk, key, rfc3339(OPEN + 70), seen_at=OPEN + 80, fingerprint="b" * 64)
    used(desk, key, (OPEN, HOME, 1, 2), (OPEN + 420, THIEF, 212, 2))
    desk.answer(alert_about(key, kind="leak", family="leak", severity="critical"))
    (incident,) = json.loads(run("incidents", "list", "--json"))
    shown = json.loads(run("incidents", "show", incident["id"], "--json"))
    first = shown["exposures"][0]
    assert first["foreign_networks"] == [
        {"network": THIEF, "requests": 212, "first_at": rfc3339(OPEN + 420)}
    ]
    for words in (
        ("incidents", "show", incident["id"]),
        ("alerts", "show", "alert_1"),
        ("report", "incident", incident["id"], "--format", "html"),
        ("report", "leak", key, "--format", "html"),
    ):
        assert "first foreign network" in run(*words), words
    one = run("report", "leak", "a" * 12, "--format", "html")
    assert f"exposed {datetime.fromtimestamp(OPEN + 60, UTC):%Y-%m-%d %H:%M}Z (private)" in one
    assert one.count("first foreign network") == 1
    for row in desk.rows(effect="notify"):
        assert "212 requests from it" in row.arguments["data"]["exposures"][0]
    with reading(desk.engine) as connection:
        told = looking.show_incident(connection, incident["id"])
    assert [each.found[0] for each in told.exposures] == ["a", "b"]
