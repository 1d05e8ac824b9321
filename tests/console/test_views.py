"""What pages draw and count: the map of countries, leaks by place, how much is watched."""

import re

import pytest
from sqlalchemy import update

from database.schema import findings, positions, profiles
from database.transaction import reading, transaction
from keywatch.console import drawing, worldmap
from keywatch.desk import looking, summary
from tests.console.house import HOSTILE


def country(code, days=20, *, trusted=True):
    return {"country": code, "days": days, "last": "2026-03-01", "trusted": trusted}


def test_every_place_of_the_map_lies_on_it():
    assert len(worldmap.dots()) > 300
    berlin = next(dot for dot in worldmap.dots() if dot.country == "DE")
    assert (berlin.latitude, berlin.longitude) == pytest.approx((52.5, 13.37), abs=0.1)
    lima = next(dot for dot in worldmap.dots() if dot.country == "PE")
    assert lima.latitude < 0 > lima.longitude
    assert {dot.country for dot in worldmap.dots()} <= set(worldmap.names())


def test_the_map_says_in_words_what_it_shows_and_marks_what_is_not_trusted():
    drawn = worldmap.world([country("DE"), country("US", 1, trusted=False)])
    assert "Germany, United States" in drawn
    assert len(re.findall(r'<circle class="bar"', drawn)) == 1
    assert len(re.findall(r'<circle class="bad"', drawn)) == 1
    radii = dict(re.findall(r'<circle class="(ba[rd])"[^>]* r="([\d.]+)"', drawn))
    assert float(radii["bar"]) > float(radii["bad"])


@pytest.mark.parametrize("known", [[], [country("")], [country("??")], [country(HOSTILE)]])
def test_what_is_no_country_is_on_no_map(known):
    assert not worldmap.world(known)


def test_leaks_are_counted_by_repository_and_where_there_is_none_by_what_was_scanned(house):
    key = house.key()
    for number, repository in enumerate(["https://git.example/a.git"] * 2 + [""]):
        house.now += 1
        house.leak(key, fingerprint=f"f{number}")
        with transaction(house.engine) as connection:
            query = looking.show_finding(connection, f"f{number}")
            body = connection.execute(
                findings.select().where(findings.c.fingerprint == query.fingerprint)
            ).one()
            row = update(findings).where(findings.c.fingerprint == query.fingerprint)
            connection.execute(row.values(body={**body.body, "repository": repository}))
    with reading(house.engine) as connection:
        places = looking.leak_places(connection).items
        named = looking.list_findings(connection, source="https://git.example/a.git").items
        scanned = looking.list_findings(connection, source="github:acme/shop").items
    assert [(one.place, one.leaks, one.critical, one.live) for one in places] == [
        ("github:acme/shop", 1, 1, 1),
        ("https://git.example/a.git", 2, 2, 2),
    ]
    assert {one.fingerprint for one in named} == {"f0", "f1"}
    assert [one.fingerprint for one in scanned] == ["f2"]


def test_coverage_counts_keys_seen_in_logs_and_sources_heard_of_lately(house):
    known, _ = house.key(), house.key()
    house.source("file:/var/log/a.log")
    house.source("file:/var/log/b.log")
    with transaction(house.engine) as connection:
        old = update(positions).where(positions.c.source == "file:/var/log/b.log")
        connection.execute(old.values(updated_at=house.now - 7200))
        names = ("audit:keynews", "poll:https://git.example", "public:users/ann", "publish:events")
        notes = [{"source": name, "position": {"etag": "x"}, "updated_at": 0.0} for name in names]
        connection.execute(positions.insert(), notes)
        row = {"key_id": known, "version": 1, "as_of": 0, "data": b""}
        connection.execute(profiles.insert(), [row])
    with reading(house.engine) as connection:
        stands = summary.standing(connection, house.now)
        seen = summary.overview(connection, (), house.now, stands).coverage
        listed = [one.name for one in looking.list_sources(connection, house.now).items]
    assert (seen.keys, seen.seen_keys, seen.sources, seen.fresh_sources) == (2, 1, 2, 1)
    assert listed == ["file:/var/log/a.log", "file:/var/log/b.log"]


@pytest.mark.parametrize(
    ("position", "said"),
    [
        ({"inode": 7, "offset": 12_345, "head": 5, "fingerprint": "ab", "mtime_ns": 1},
         "byte 12,345 of the file that is open"),
        ({"offset": 9}, "record 9"),
        ({"run": "x", "lines": 1200}, "1,200 lines since it was opened"),
        ({"objects": 3, "unfinished": 0}, "3 objects"),
        ({"objects": 3, "unfinished": 1}, "3 objects, 1 not to their end"),
        ({"cursor": "abc"}, "cursor abc"),
        ({}, ""),
    ],
)  # fmt: skip
def test_how_far_a_source_was_read_is_said_in_words(position, said):
    assert drawing.read_to(position) == said
