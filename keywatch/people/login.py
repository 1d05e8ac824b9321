"""Logging in by password, slower with each wrong guess."""

from sqlalchemy import Connection, Engine, delete, func, select, update

from database.schema import logins
from database.schema import users as table
from database.transaction import in_commit_order, reading, transaction
from database.upsert import inserting
from keystore import audit
from keywatch.people import passwords, sessions, users
from vocabulary.errors import KeywatchError
from vocabulary.senders import sender

_FREE = {"pair": 5, "place": 30, "user": 100}
"""Wrong guesses until one has to wait: of a user from one place, of a place, of a user at all.
The last is far off, so that nobody can lock somebody else out with a few guesses."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 15.0, 900.0
_FORGOTTEN_S = 86_400.0
_MOST_INVENTED = 10_000


class LoginError(KeywatchError):
    """Name and password were not accepted; it is not said which of them was wrong."""


class GuessedError(LoginError):
    """There were too many wrong guesses; `wait_s` seconds pass until the next one is looked at."""

    def __init__(self, wait_s: float) -> None:
        said = f"wait {wait_s:.0f} seconds"
        super().__init__("there were too many wrong guesses", remedy=said)
        self.wait_s = wait_s


def log_in(engine: Engine, name: str, password: str, place: str, now: float) -> str:
    """Return the cookie of a new session.

    Args:
        engine: the database.
        name: as it was typed.
        password: what was typed with it.
        place: address it comes from; of IPv6 the /64 counts, all of it one host's.
        now: epoch seconds.

    Raises:
        LoginError: when it is wrong, or the account is disabled.
        GuessedError: when there were too many guesses.
    """
    name = name.strip().lower()
    with reading(engine) as connection:
        known = users.hash_of(connection, name)
        wait_s = max(
            (_blocked_until(connection, one) - now for one in _subjects(name, place, known)),
            default=0.0,
        )
    if wait_s > 0:
        raise GuessedError(wait_s)
    # outside of a transaction: it takes long by design
    right = passwords.matches(password, known)
    renewed = passwords.hashed(password) if right and passwords.is_outdated(known) else ""
    with transaction(engine) as connection:
        in_commit_order(connection)
        if not right:
            _count(connection, name, place, known, now)
        else:
            return _begin(connection, name, place, renewed, now)
    raise LoginError("this name and password do not belong together")


def _begin(connection: Connection, name: str, place: str, renewed: str, now: float) -> str:
    """Start the session, and forget the guesses of this user from this place."""
    _forget(connection, f"pair:{name}@{sender(place)}")
    values: dict[str, object] = {"last_login_at": now} | ({"hash": renewed} if renewed else {})
    connection.execute(update(table).where(table.c.name == name).values(**values))
    entry = audit.Entry(now, name, "log_in", f"user:{name}", "", {"place": place})
    audit.append(connection, [entry])
    return sessions.start(connection, name, now)


def _subjects(name: str, place: str, known: str) -> list[str]:
    """Return whose guesses are counted.

    Those of a name that nobody has are, from one place: else who is let guess on without an end
    knows that there is no such name.
    """
    network = sender(place)
    of_all = [f"place:{network}", f"pair:{name}@{network}"]
    return [*of_all, f"user:{name}"] if known else of_all


def _is_full(connection: Connection) -> bool:
    """Whether names that somebody invents have filled the table."""
    rows = select(logins.c.subject).limit(_MOST_INVENTED).subquery()
    return connection.scalar(select(func.count()).select_from(rows)) == _MOST_INVENTED


def _blocked_until(connection: Connection, subject: str) -> float:
    query = select(logins.c.blocked_until).where(logins.c.subject == subject)
    return float(connection.scalar(query) or 0.0)


def _count(connection: Connection, name: str, place: str, known: str, now: float) -> None:
    connection.execute(delete(logins).where(logins.c.failed_at < now - _FORGOTTEN_S))
    subjects = _subjects(name, place, known)
    if not known and _is_full(connection):
        subjects = subjects[:1]
    for subject in subjects:
        query = select(logins.c.failures).where(logins.c.subject == subject)
        failures = int(connection.scalar(query) or 0) + 1
        over = failures - _FREE[subject.partition(":")[0]]
        wait_s = min(_FIRST_WAIT_S * 2 ** min(over, 10), _LONGEST_WAIT_S) if over >= 0 else 0.0
        row = {"failures": failures, "failed_at": now, "blocked_until": now + wait_s}
        kept = inserting(connection, logins).values(subject=subject, **row)
        connection.execute(kept.on_conflict_do_update(index_elements=["subject"], set_=row))
    if known:
        entry = audit.Entry(now, "nobody", "refuse_login", f"user:{name}", "", {"place": place})
        audit.append(connection, [entry])


def _forget(connection: Connection, subject: str) -> None:
    connection.execute(delete(logins).where(logins.c.subject == subject))
