"""A table of keys in a database of the user's own, with columns as the configuration names them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, Engine, MetaData, Table, exc, select, update

from database.engine import engine_of
from keystore.adapters import Adapter, Foreign, Options, cannot, missing, needed
from vocabulary.credential import Credential
from vocabulary.errors import ConfigError, ServiceError

_NAMED = ("hash", "public_id", "throttle", "name", "owner")
_YES, _NO = frozenset({"true", "t", "1", "yes"}), frozenset({"false", "f", "0", "no"})


class Sql:
    """Keys of a table.

    Args:
        engine: of the user's database.
        options: `table`, `id_column`, `state_column`, `active_value`, `revoked_value`; and
            `hash_column` (SHA-256 or HMAC, hex) or `public_id_column`; `pepper`: which HMAC it
            is; `throttle_column`: requests a minute, NULL for no throttle.
    """

    def __init__(self, engine: Engine, options: Options) -> None:
        self._engine, self._options = engine, options
        self._where = f"stores.{options['name']}"
        needed(options, "table", "id_column", "state_column")
        if not options.get("hash_column") and not options.get("public_id_column"):
            raise ConfigError("`hash_column` or `public_id_column` is missing", where=self._where)

    def find(self, credential: Credential) -> Foreign | None:
        """Return the key of a credential, by its hash or its public id."""
        with self._reached() as connection:
            place, value = self._looked_for(credential)
            if not value:
                return None
            row = connection.execute(select(self._table).where(place == value)).mappings().first()
        if row is None:
            return None
        said = {
            name: str(row[of.name] or "")
            for name in _NAMED
            if (of := self._column(name)) is not None
        }
        return Foreign(
            id=str(row[self._id.name]),
            active=row[self._state.name] == self._value("active"),
            public_id=said.get("public_id", ""),
            name=said.get("name", ""),
            owner=said.get("owner", ""),
        )

    def revoke(self, key_id: str) -> None:
        """Write the value of a revoked key into its state."""
        self._write(key_id, revoked=True)

    def throttle(self, key_id: str, per_min: int) -> None:
        """Write the number into the throttle's column, where there is one."""
        if not self._options.get("throttle_column"):
            raise cannot("throttle", self._where, "name a `throttle_column`")
        self._write(key_id, per_min=per_min)

    def restore(self, key_id: str) -> None:
        """Write the value of an active key into its state, and NULL into its throttle."""
        self._write(key_id)

    def _write(self, key_id: str, *, revoked: bool = False, per_min: int | None = None) -> None:
        with self._reached() as connection:
            throttle = self._column("throttle")
            values: dict[Column[Any], Any] = {}
            if per_min is None:
                values[self._state] = self._value("revoked" if revoked else "active")
            if throttle is not None and not revoked:
                values[throttle] = per_min
            wanted = _as(self._id, key_id)
            statement = update(self._table).where(self._id == wanted).values(values)
            if wanted is None or connection.execute(statement).rowcount == 0:
                raise missing(key_id, self._where)

    def _looked_for(self, credential: Credential) -> tuple[Column[Any], str | None]:
        """Return where to look for what; a public id serves only where the table has no hash."""
        place = self._column("hash")
        if place is None:
            public = self._column("public_id")
            assert public is not None
            return public, credential.public_id
        pepper = self._options.get("pepper")
        return place, credential.hmacs.get(pepper) if pepper else credential.sha256

    @cached_property
    def _table(self) -> Table:
        schema, _, name = self._options["table"].rpartition(".")
        return Table(name, MetaData(), schema=schema or None, autoload_with=self._engine)

    @property
    def _id(self) -> Column[Any]:
        return self._table.c[self._options["id_column"]]

    @property
    def _state(self) -> Column[Any]:
        return self._table.c[self._options["state_column"]]

    def _column(self, name: str) -> Column[Any] | None:
        named = self._options.get(f"{name}_column")
        return self._table.c[named] if named else None

    def _value(self, name: str) -> Any:  # noqa: ANN401
        value = _as(self._state, self._options.get(f"{name}_value") or name)
        if value is None:
            raise ConfigError(f"`{name}_value` does not fit its column", where=self._where)
        return value

    @contextmanager
    def _reached(self) -> Iterator[Connection]:
        try:
            with (
                self._engine.connect().execution_options(write=True) as connection,
                connection.begin(),
            ):
                yield connection
        except exc.NoSuchTableError:
            raise ConfigError("there is no such table", where=self._where) from None
        except KeyError as error:
            raise ConfigError(f"the table has no column {error}", where=self._where) from None
        except exc.SQLAlchemyError as error:
            kind = type(getattr(error, "orig", None) or error).__name__
            raise ServiceError(f"the database did not answer: {kind}", where=self._where) from None
        finally:
            self._engine.dispose()  # it is asked too seldom to keep a connection of theirs


def _as(column: Column[Any], text: str) -> Any:  # noqa: ANN401
    """Return the text as the column's type has it; None when it is none of that."""
    try:
        kind = column.type.python_type
    except NotImplementedError:
        return text
    if kind is bool:
        return True if text.lower() in _YES else False if text.lower() in _NO else None
    try:
        return kind(text) if kind in (int, UUID) else text
    except ValueError:
        return None


def make(options: Options) -> Adapter:
    """Return the table that the options describe."""
    (url,) = needed(options, "url")
    return Sql(engine_of(url, create=False), options)
