"""Any order of verbs and waiting, against a model that is simple enough to be believed."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from database.transaction import open_database, reading
from keystore import audit, feed
from keystore.issue import KeyOrder
from keystore.query import Filter
from keystore.scheme import KeyScheme
from keystore.store import KeyStore
from vocabulary.errors import TransitionError

BY = {"actor": "ann", "reason": "a test"}
GRACE_S = 100.0
LIFE_S = 400.0
lengths = st.one_of(st.none(), st.integers(1, 150))


@dataclass(frozen=True)
class Model:
    """A key as its documentation describes it."""

    expires: float
    revoked: bool = False
    deprecated: bool = False
    grace_end: float | None = None
    rotated: bool = False
    leaked: bool = False
    throttle: tuple[int, float | None] | None = None
    suspended: tuple[float | None] | None = None

    def state(self, now: float) -> str:
        if self.revoked:
            return "revoked"
        if now >= self.expires:
            return "expired"
        if self.deprecated:
            return "revoked" if now >= self.grace_end else "deprecated"
        return "active"

    def works(self, now: float) -> bool:
        return self.state(now) in ("active", "deprecated")

    def throttled(self, now: float) -> bool:
        return self.throttle is not None and (self.throttle[1] is None or now < self.throttle[1])

    def is_suspended(self, now: float) -> bool:
        end = self.suspended
        return end is not None and (end[0] is None or now < end[0])


class Lives(RuleBasedStateMachine):
    """One key of a store, from its creation on."""

    @initialize(rotated_by_force=st.booleans())
    def begin(self, rotated_by_force):
        self.now = 1_750_000_000.0
        self.engine = open_database("sqlite://")
        scheme = KeyScheme(life_s=LIFE_S, max_life_s=LIFE_S, grace_s=GRACE_S)
        self.store = KeyStore(self.engine, lambda: self.now, scheme)
        self.key_id = self.store.create(KeyOrder(), **BY).key.id
        self.model = Model(self.now + LIFE_S)
        self.written = 1

    def does(self, verb, becomes: Model, *, allowed=True, writes=1, **arguments):
        """Expect the verb to bring the key to `becomes`, or to be refused and change nothing."""
        if not allowed:
            with pytest.raises(TransitionError) as told:
                getattr(self.store, verb)(self.key_id, **arguments, **BY)
            assert told.value.remedy
            return
        getattr(self.store, verb)(self.key_id, **arguments, **BY)
        if becomes != self.model:
            self.written += writes
        self.model = becomes

    def shorter(self, end):
        begun = self.model.grace_end
        return end if begun is None else min(begun, end)

    def until(self, length):
        return None if length is None else self.now + length

    @rule(seconds=st.integers(1, 150))
    def wait(self, seconds):
        self.now += seconds

    @rule(per_min=st.integers(1, 3), length=lengths)
    def throttle(self, per_min, length):
        end = self.until(length)
        becomes = replace(self.model, throttle=(per_min, end))
        self.does(
            "throttle", becomes, allowed=self.model.works(self.now), per_min=per_min, until=end
        )

    @rule()
    def unthrottle(self):
        self.does("unthrottle", replace(self.model, throttle=None))

    @rule(length=lengths)
    def suspend(self, length):
        end = self.until(length)
        becomes = replace(self.model, suspended=(end,))
        self.does("suspend", becomes, allowed=self.model.works(self.now), until=end)

    @rule()
    def resume(self):
        self.does("resume", replace(self.model, suspended=None))

    @rule()
    def revoke(self):
        self.does("revoke", replace(self.model, revoked=True))

    @rule()
    def mark_leak_proven(self):
        self.does("mark_leak_proven", replace(self.model, leaked=True))

    @rule(force=st.booleans())
    def restore(self, force):
        if self.model.revoked:
            allowed = force or not self.model.leaked
            becomes = replace(self.model, revoked=False)
        else:
            allowed = self.model.works(self.now)
            becomes = replace(self.model, throttle=None, suspended=None)
        self.does("restore", becomes, allowed=allowed, force=force)

    @rule(grace=st.integers(0, 150))
    def deprecate(self, grace):
        end = self.shorter(self.now + grace)
        becomes = replace(self.model, deprecated=True, grace_end=end)
        self.does("deprecate", becomes, allowed=self.model.works(self.now), grace_s=float(grace))

    @rule()
    def undeprecate(self):
        becomes = self.model
        if becomes.deprecated and not becomes.revoked:
            becomes = replace(becomes, deprecated=False, grace_end=None)
        self.does("undeprecate", becomes)

    @rule(emergency=st.booleans())
    @precondition(lambda self: not self.model.rotated)
    def rotate(self, emergency):
        becomes = replace(self.model, rotated=True, revoked=True)
        if not emergency:
            end = self.shorter(self.now + GRACE_S)
            becomes = replace(self.model, rotated=True, deprecated=True, grace_end=end)
        grace = 0.0 if emergency else None
        self.does("rotate", becomes, allowed=self.model.works(self.now), writes=2, grace_s=grace)

    @invariant()
    def the_key_is_as_the_model_says(self):
        key = self.store.get(self.key_id)
        assert key.effective_state(self.now) == self.model.state(self.now)
        assert key.is_throttled(self.now) == self.model.throttled(self.now)
        assert key.is_suspended(self.now) == self.model.is_suspended(self.now)
        if self.model.throttled(self.now):
            assert key.throttle_per_min == self.model.throttle[0]
        assert key.leak_proven == self.model.leaked

    @invariant()
    def lists_agree_on_the_state(self):
        for state in ("active", "deprecated", "revoked", "expired"):
            listed = {key.id for key in self.store.list(Filter(state=state))}
            assert (self.key_id in listed) == (self.model.state(self.now) == state)

    @invariant()
    def each_change_is_told_once(self):
        with reading(self.engine) as connection:
            proven = audit.verify(connection)
            changes = feed.changes_since(connection, 0)
        assert proven.broken_at == 0
        assert proven.rows == self.written
        assert [change.seq for change in changes] == list(range(1, self.written + 1))
        assert self.store.get(self.key_id).change_seq in {change.seq for change in changes}

    def teardown(self):
        self.engine.dispose()


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
