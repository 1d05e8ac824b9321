import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions import keynews
from actions.executor import Executor, Limits
from actions.telling.manners import Manners, manners_of
from actions.telling.words import Writer
from database.transaction import transaction
from tests.actions.desk import START, alert_about
from vocabulary.errors import UsageError

DAY_S = 86_400.0
MIDNIGHT = START - START % DAY_S


class Told:
    """A notifier that keeps what it was told."""

    def __init__(self):
        self.messages = []

    def __call__(self, message, idempotency_key, now):
        self.messages.append(message)


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def work(desk, told):
    def work(**options):
        manners = manners_of({"name": "owner"} | options)
        Executor(
            desk.engine,
            notifiers={"owner": told, "security": told},
            clock=desk.clock,
            limits=Limits({"owner": manners, "security": manners}),
        ).run_once()
        return [message["type"] for message in told.messages]

    return work


def alert(desk, number, severity="high"):
    key = desk.key()
    desk.answer(alert_about(key, number=number, severity=severity))
    return key


def test_quiet_hours_keep_back_what_is_not_urgent_and_no_action(desk, told, work):
    desk.now = MIDNIGHT + 23 * 3600
    keys = [alert(desk, number) for number in range(2)]
    urgent = alert(desk, "urgent", "critical")
    assert work(quiet="22:00-07:00") == ["incident.opened"]
    assert told.messages[0]["data"]["key"]["id"] == urgent
    assert [desk.store.get(key).throttle_per_min for key in keys] == [30, 30]
    assert {row.state for row in desk.rows(lane="notify:owner")} == {"kept"}
    desk.now = MIDNIGHT + DAY_S + 7 * 3600 - 1
    assert len(work(quiet="22:00-07:00")) == 1
    desk.now += 1
    assert work(quiet="22:00-07:00") == ["incident.opened", "digest"]
    said = Writer("owner").write(told.messages[-1])
    assert said.title == "high: 2 messages that could wait"
    assert all(key in said.body for key in keys)
    assert {row.state for row in desk.rows(lane="notify:owner")} == {"done"}


def test_a_worse_message_overtakes_what_was_kept_back(desk, told, work):
    desk.now = MIDNIGHT + 23 * 3600
    key = alert(desk, 1)
    assert work(quiet="22:00-07:00") == []
    desk.answer(alert_about(key, number=2, severity="critical"))
    assert work(quiet="22:00-07:00") == ["incident.updated"]


def test_a_digest_gathers_for_its_time_and_is_sent_once(desk, told, work):
    alert(desk, 1)
    assert work(digest="1h") == []
    desk.now += 1800
    alert(desk, 2)
    assert work(digest="1h") == []
    desk.now += 1800
    assert work(digest="1h") == ["digest"]
    assert told.messages[0]["data"]["count"] == 2
    desk.now += 7200
    assert work(digest="1h") == ["digest"]


def test_more_messages_than_an_hour_allows_become_one(desk, told, work):
    for number in range(5):
        alert(desk, number)
    assert work(per_hour=2) == ["incident.opened"] * 2
    desk.now += 1800
    assert len(work(per_hour=2)) == 2
    desk.now += 1801
    assert work(per_hour=2) == ["incident.opened"] * 2 + ["digest"]
    assert told.messages[-1]["data"]["count"] == 3


def test_who_has_no_manners_any_more_is_told_all_the_same(desk, told, work):
    desk.now = MIDNIGHT + 23 * 3600
    alert(desk, 1)
    assert work(quiet="22:00-07:00") == []
    limits = Limits({"somebody": Manners(per_hour=1)})
    executor = Executor(desk.engine, notifiers={"owner": told}, clock=desk.clock, limits=limits)
    executor.run_once()
    assert [message["type"] for message in told.messages] == ["digest"]


def test_a_failing_receiver_gets_its_digest_again(desk, told, work):
    alert(desk, 1)
    work(digest="1h")
    desk.now += 3600

    def failing(*_):
        raise OSError

    Executor(
        desk.engine,
        notifiers={"owner": failing},
        clock=desk.clock,
        limits=Limits({"owner": manners_of({"digest": "1h"})}),
        random=lambda: 0.0,
    ).run_once()
    desk.now += 5
    assert work(digest="1h") == ["digest"]


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_hours_go_round_midnight(begin, end, minute):
    quiet = Manners(quiet=(begin, end)).is_quiet(MIDNIGHT + minute * 60)
    length = (end - begin) % 1440
    assert quiet == ((minute - begin) % 1440 < length)


def test_quiet_hours_are_on_the_receivers_clock():
    manners = manners_of({"quiet": "22:00-07:00", "tz": "Asia/Tokyo"})
    assert manners.is_quiet(MIDNIGHT + 14 * 3600)
    assert not manners.is_quiet(MIDNIGHT + 23 * 3600)


def test_who_asks_for_nothing_has_no_manners():
    assert manners_of({"name": "a", "quiet": "", "digest": "", "per_hour": 0}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet": "10pm-7am"},
        {"quiet": "24:00-07:00"},
        {"per_hour": 1, "tz": "Mars"},
        {"digest": "x"},
    ],
)
def test_wrong_manners_are_refused(wrong):
    with pytest.raises(UsageError):
        manners_of({"name": "a"} | wrong)


def test_a_digest_tells_of_keys_that_somebody_changed(desk, told, work):
    key = desk.key()
    desk.store.revoke(key, actor="ann", reason="she left")
    with transaction(desk.engine) as connection:
        keynews.queue_up(connection, 0, {"owner": ("revoke",)}, desk.now)
    assert work(digest="1h") == []
    desk.now += 3600
    assert work(digest="1h") == ["digest"]
    assert f"key {key}: revoke by ann: she left" in Writer("owner").write(told.messages[0]).body
