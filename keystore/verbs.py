"""What `KeyStore` offers beside keys: each verb in a transaction of its own."""

from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from database.transaction import reading, transaction
from keystore import accounts, denials, identities, plans
from keystore.accounts import Account, Changes, Organisation
from keystore.denials import Denial
from keystore.identities import Client, Name
from keystore.issue import Issued, KeyOrder
from keystore.keys import Key, Kind
from keystore.plans import Plan
from keystore.scheme import DEFAULT_SCHEME, KeyScheme

Clock = Callable[[], float]


class _Verbs:
    """Verbs on the database behind `engine`; `clock` is epoch seconds."""

    def __init__(self, engine: Engine, clock: Clock, scheme: KeyScheme = DEFAULT_SCHEME) -> None:
        self._engine, self._clock, self._scheme = engine, clock, scheme


class Accounts(_Verbs):
    """See `keystore.accounts`."""

    def create(
        self,
        account_id: str,
        wanted: Changes = Changes(),  # noqa: B008  (frozen)
        *,
        actor: str,
        reason: str = "",
    ) -> Account:
        """Make an account."""
        with transaction(self._engine) as connection:
            return accounts.create(
                connection, account_id, wanted, actor=actor, reason=reason, now=self._clock()
            )

    def change(self, account_id: str, wanted: Changes, *, actor: str, reason: str = "") -> Account:
        """Give it another name, owner, organisation or plan."""
        with transaction(self._engine) as connection:
            return accounts.change(
                connection, account_id, wanted, actor=actor, reason=reason, now=self._clock()
            )

    def throttle(
        self,
        account_id: str,
        *,
        per_min: int,
        until: float | None = None,
        actor: str,
        reason: str = "",
    ) -> Account:
        """Slow all its keys together down."""
        act = {"actor": actor, "reason": reason}
        with transaction(self._engine) as connection:
            return accounts.throttle(
                connection, account_id, per_min=per_min, until=until, **act, now=self._clock()
            )

    def unthrottle(self, account_id: str, *, actor: str, reason: str = "") -> Account:
        """Lift the throttle."""
        with transaction(self._engine) as connection:
            return accounts.unthrottle(
                connection, account_id, actor=actor, reason=reason, now=self._clock()
            )

    def suspend(
        self, account_id: str, *, until: float | None = None, actor: str, reason: str = ""
    ) -> Account:
        """Stop all its keys for a while."""
        act = {"actor": actor, "reason": reason}
        with transaction(self._engine) as connection:
            return accounts.suspend(connection, account_id, until=until, **act, now=self._clock())

    def resume(self, account_id: str, *, actor: str, reason: str = "") -> Account:
        """Lift the suspension."""
        with transaction(self._engine) as connection:
            return accounts.resume(
                connection, account_id, actor=actor, reason=reason, now=self._clock()
            )

    def get(self, account_id: str) -> Account:
        """Return an account."""
        with reading(self._engine) as connection:
            return accounts.get(connection, account_id)

    def list(
        self, organisation: str = "", limit: int | None = 100
    ) -> Sequence[tuple[int, Account]]:
        """Return accounts by their id, each behind the number of its keys."""
        with reading(self._engine) as connection:
            return accounts.listed(connection, organisation, limit)

    def organisations(self) -> Sequence[tuple[int, Organisation]]:
        """Return organisations by their id, each behind the number of its accounts."""
        with reading(self._engine) as connection:
            return accounts.organisations_of(connection)


class Plans(_Verbs):
    """See `keystore.plans`."""

    def put(self, plan: Plan, *, actor: str, reason: str = "") -> Plan:
        """Make a plan, or make the one of this id so."""
        with transaction(self._engine) as connection:
            return plans.put(connection, plan, actor=actor, reason=reason, now=self._clock())

    def remove(self, plan_id: str, *, actor: str, reason: str = "") -> None:
        """Take a plan away that nobody is on."""
        with transaction(self._engine) as connection:
            plans.remove(connection, plan_id, actor=actor, reason=reason, now=self._clock())

    def get(self, plan_id: str) -> Plan:
        """Return a plan."""
        with reading(self._engine) as connection:
            return plans.get(connection, plan_id)

    def list(self) -> Sequence[Plan]:
        """Return every plan by its id."""
        with reading(self._engine) as connection:
            return plans.all_of(connection)


class Identities(_Verbs):
    """See `keystore.identities`."""

    def register(self, name: Name, order: KeyOrder, *, actor: str, reason: str = "") -> Key:
        """Let a token's subject or a certificate in."""
        act = {"actor": actor, "reason": reason}
        with transaction(self._engine) as connection:
            return identities.register(
                connection, name, order, **act, now=self._clock(), scheme=self._scheme
            )

    def register_client(
        self, client: Client, order: KeyOrder, *, actor: str, reason: str = ""
    ) -> Issued:
        """Make an OAuth 2.0 client, or take one over."""
        act = {"actor": actor, "reason": reason}
        with transaction(self._engine) as connection:
            return identities.register_client(
                connection, client, order, **act, now=self._clock(), scheme=self._scheme
            )

    def renew_secret(self, key_id: str, *, actor: str, reason: str = "") -> Issued:
        """Give an OAuth 2.0 client another secret."""
        act = {"actor": actor, "reason": reason}
        with transaction(self._engine) as connection:
            return identities.renew_secret(connection, key_id, **act, now=self._clock())

    def named(self, kind: Kind, names: Sequence[str]) -> Key | None:
        """Return the identity of the first of the names that the store knows."""
        with reading(self._engine) as connection:
            return identities.named(connection, kind, names)

    def authentic_client(self, client_id: str, secret: str, issuer: str = "") -> Key | None:
        """Return the client when its secret is right, whatever its state."""
        with reading(self._engine) as connection:
            return identities.authentic_client(connection, client_id, secret, issuer)


class Denials(_Verbs):
    """See `keystore.denials`."""

    def deny(self, wanted: Denial, *, actor: str, reason: str = "") -> Denial:
        """Refuse something from now on."""
        with transaction(self._engine) as connection:
            return denials.deny(connection, wanted, actor=actor, reason=reason, now=self._clock())

    def allow(self, denial_id: int, *, actor: str, reason: str = "") -> Denial:
        """Take a denial back."""
        with transaction(self._engine) as connection:
            return denials.allow(
                connection, denial_id, actor=actor, reason=reason, now=self._clock()
            )

    def list(self) -> Sequence[Denial]:
        """Return every denial that holds, the oldest first."""
        with reading(self._engine) as connection:
            return denials.snapshot(connection, self._clock())
