import pytest

from actions.explain import rows
from actions.policy import BUILT_IN, load, parse
from vocabulary.errors import ConfigError

REFUSED = {
    "unknown entry of a case": ('[[case]]\nseverty = ["high"]', "p.toml:2", "severity"),
    "the second of two cases": (
        '[[case]]\nkind = ["a"]\n\n[[case]]\nacton = "none"',
        "p.toml:5",
        "action",
    ),
    "unknown guard": ("[guards]\nrevocations_per_our = 3", "p.toml:2", "revocations_per_hour"),
    "unknown table": ("[guard]\n", "p.toml:1", "guards"),
    "unknown action": ('[[case]]\naction = "revok"', "p.toml:2", "revoke"),
    "unknown severity": ('[[case]]\nseverity = ["hihg"]', "p.toml:2", "high"),
    "no array of tables": ('[case]\naction = "none"', "p.toml:1", "[[case]]"),
    "no array of tables further down": (
        '[guards]\nbreaker_keys = 3\n\n[case]\naction = "none"',
        "p.toml:4",
        "cases are an array of tables",
    ),
    "approval of nothing": (
        '[guards]\nbreaker_keys = 3\ntwo_person = ["none"]',
        "p.toml:3",
        "nobody's approval",
    ),
    "approval of nothing, in one line": (
        'incident_window = "1h"\nguards = { two_person = ["none"] }',
        "p.toml:2",
        "nobody's approval",
    ),
    "a case within a list that is refused": (
        'incident_window = "1h"\ncase = [\n{ action = "rotate" }]',
        "p.toml:2",
        "grace",
    ),
    "an unknown entry of a case within a list": (
        'incident_window = "1h"\ncase = [\n{ acton = "none" }]',
        "p.toml:2",
        "did you mean `action`",
    ),
    "never reached, for the same list before it": (
        '[[case]]\nname = "one"\nkind = ["leak"]\n\n[[case]]\nkind = ["leak"]',
        "p.toml:5",
        "`one`",
    ),
    "not TOML": ("[[case]]\naction = none", "p.toml:2", "not TOML"),
    "throttle without a rate": ('[[case]]\naction = "throttle"', "p.toml:1", "rate_per_min"),
    "rate without a throttle": (
        '[[case]]\naction = "revoke"\nrate_per_min = 3',
        "p.toml:1",
        "throttle",
    ),
    "rotation without a grace": ('[[case]]\naction = "rotate"', "p.toml:1", "grace"),
    "revocation for a time": ('[[case]]\naction = "revoke"\nduration = "1h"', "p.toml:1", "revoke"),
    "no duration": ('[[case]]\naction = "suspend"\nduration = "soon"', "p.toml:3", "duration"),
    "never reached": ('[[case]]\nname = "all"\n\n[[case]]\nkind = ["leak"]', "p.toml:4", "`all`"),
    "never reached, for a longer list before it": (
        '[[case]]\nname = "two"\nkind = ["leak", "anomaly"]\n\n[[case]]\nkind = ["leak"]',
        "p.toml:5",
        "`two`",
    ),
    "an exposure of what is no leak": (
        '[[case]]\nkind = ["anomaly"]\nexposure = ["public"]',
        "p.toml:1",
        "no anomaly has one",
    ),
    "then without after": (
        '[[case]]\naction = "throttle"\nrate_per_min = 3\nthen = "revoke"',
        "p.toml:1",
        "belong together",
    ),
    "then that is weaker": (
        '[[case]]\naction = "revoke"\nthen = "suspend"\nafter = "1h"',
        "p.toml:1",
        "stronger",
    ),
    "then that is the action again": (
        '[[case]]\naction = "revoke"\nthen = "revoke"\nafter = "1h"',
        "p.toml:1",
        "stronger",
    ),
    "after without then": (
        '[[case]]\naction = "throttle"\nrate_per_min = 3\nafter = "1h"',
        "p.toml:1",
        "belong together",
    ),
    "then without what it needs": (
        '[[case]]\naction = "none"\nthen = "throttle"\nafter = "1h"',
        "p.toml:1",
        "suspend or revoke",
    ),
    "an undo of what ends by itself": (
        '[[case]]\naction = "suspend"\nduration = "1h"\nundo_after = "2h"',
        "p.toml:1",
        "`duration`",
    ),
    "an undo of a leak": (
        '[[case]]\nkind = ["leak"]\naction = "revoke"\nundo_after = "2h"',
        "p.toml:1",
        "does not come back",
    ),
    "cut off and brought back": (
        '[[case]]\naction="rotate"\nduration="1d"\nundo_after="2h"\nthen="revoke"\nafter="1h"',
        "p.toml:1",
        "either",
    ),
    "the exposure of no leak": (
        '[[case]]\nkind = ["anomaly"]\nexposure = ["public"]',
        "p.toml:1",
        "exposure",
    ),
    "an unknown exposure": ('[[case]]\nexposure = ["pubic"]', "p.toml:2", "exposure"),
    "reissue without a grace": ('[[case]]\naction = "reissue"', "p.toml:1", "grace"),
    "two people for nothing, on one line": (
        '\nguards = {two_person = ["none"]}',
        "p.toml:2",
        "approval",
    ),
    "two people for nothing": ('[guards]\ntwo_person = ["none"]', "p.toml:2", "approval"),
    "a window without a time": (
        '[guards]\n[[guards.maintenance]]\nname = "a"',
        "p.toml:2",
        "`weekly`",
    ),
    "a window with two times": (
        '[[guards.maintenance]]\nweekly = "sun 01:00-02:00"\nbegin = "2026-01-01T00:00:00Z"',
        "p.toml:1",
        "`weekly`",
    ),
    "no weekly time": (
        '[[guards.maintenance]]\nweekly = "sun 01:00-02:00"\n[[guards.maintenance]]\nweekly = "x"',
        "p.toml:3",
        "sun 22:00-04:00",
    ),
    "a window that ends before it begins": (
        '[[guards.maintenance]]\nbegin = "2026-01-02T00:00:00Z"\nend = "2026-01-01T00:00:00Z"',
        "p.toml:1",
        "ends before",
    ),
    "a window on Mars": (
        '[[guards.maintenance]]\nweekly = "sun 01:00-02:00"\ntz = "Mars"',
        "p.toml:1",
        "time zone",
    ),
    "a window of no moment": (
        '[[guards.maintenance]]\nbegin = "soon"\nend = "2026-01-01T00:00:00Z"',
        "p.toml:1",
        "soon",
    ),
    "a share above 1": ("[guards]\nbreaker_share = 3", "p.toml:2", "breaker_share"),
    "a negative cap": ("[guards]\nrevocations_per_hour = -1", "p.toml:2", ">= 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_policy_is_refused_with_line_and_remedy(name):
    text, where, said = REFUSED[name]
    with pytest.raises(ConfigError) as refusal:
        parse(text, "p.toml")
    assert refusal.value.where == where
    assert said in str(refusal.value)


def test_a_missing_policy_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "none.toml")


def test_a_case_that_an_earlier_one_covers_only_in_part_is_reached():
    cases = '[[case]]\nkind = ["leak"]\n\n[[case]]\nkind = ["leak", "anomaly"]\n\n[[case]]'
    assert len(parse(cases, "p.toml").cases) == 3


@pytest.mark.parametrize("kind", ["", 'kind = ["leak"]', 'kind = ["anomaly", "exposed-in-log"]'])
def test_an_exposure_is_asked_for_alone_or_of_leaks(kind):
    (case,) = parse(f'[[case]]\n{kind}\nexposure = ["public"]\naction = "none"', "p").cases
    assert case.exposure == ("public",)


def test_what_is_wrong_in_a_file_is_told_with_its_path(tmp_path):
    (tmp_path / "mine.toml").write_text("\n[guard]\n")
    with pytest.raises(ConfigError) as refusal:
        load(tmp_path / "mine.toml")
    assert refusal.value.where == f"{tmp_path}/mine.toml:2"


def test_the_built_in_policy_is_sound_and_names_its_lines():
    policy = load()
    text = BUILT_IN.read_text().splitlines()
    for line in policy.lines:
        file, _, number = line.partition(":")
        assert file == "policy.toml"
        assert text[int(number) - 1] == "[[case]]"


def test_a_policy_of_another_text_has_another_digest():
    assert parse("", "a").digest != parse("# changed", "a").digest
    assert parse("", "a").digest == parse("", "b").digest
    assert parse("# as it was written", "a").text == "# as it was written"


def test_an_empty_policy_does_nothing():
    assert parse("", "p.toml").cases == ()


LATER = 'then = "revoke"\nafter = "30m"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('action = "revoke"\nundo_after = "2h"', "revoke, undone after 2h unless confirmed"),
        (
            'action = "throttle"\nrate_per_min = 3\nduration = "1h"\n' + LATER,
            "throttle to 3/min for 1h, then revoke after 30m unless somebody is on it",
        ),
        ('action = "none"', "none"),
    ],
)
def test_what_a_case_does_is_said(text, said):
    (row,) = rows(parse(f"[[case]]\n{text}", "p.toml"))
    assert (row["then"], row["when"]) == (said, "always")
