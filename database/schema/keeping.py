"""The audit log is added to and never changed: what the database itself refuses.

Who may write to the tables can still drop a trigger, or write past it into the file: the chain of
hashes tells of that. A trigger stops the slip, and whoever has no right to change the schema.
"""

from sqlalchemy import DDL, Connection, Table, event, text

WHY = "the audit log is added to, never changed"

_KEPT = ("seq", "at", "actor", "verb", "subject", "previous_hash", "hash")
_OTHER = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _KEPT)

ON_SQLITE = (
    # Of a row the words alone may go, as a right to be forgotten asks for: `keystore.audit.erase`.
    f"""CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    WHEN {_OTHER} OR NEW.reason <> '' OR json(NEW.details) <> '{{"erased":true}}'
    BEGIN SELECT RAISE(ABORT, '{WHY}'); END""",
    f"""CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, '{WHY}'); END""",
    # INSERT OR REPLACE deletes without asking the trigger above.
    f"""CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, '{WHY}'); END""",  # noqa: S608  (no value of anybody's)
)

_SAME = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in _KEPT)

ON_POSTGRESQL = (
    f"""CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF {_SAME} AND NEW.reason = '' AND NEW.details::text = '{{"erased": true}}' THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION '{WHY}' USING ERRCODE = 'integrity_constraint_violation';
    END $$""",
    """CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_kept()""",
    """CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()""",
)

_COUNTED = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'",
    "postgresql": "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'audit'::regclass "
    "AND NOT tgisinternal AND tgenabled IN ('O', 'A')",
}


def keep(audit: Table) -> None:
    """Have the table protected as soon as it is made at once; migrations do the same by theirs."""
    for statement in ON_SQLITE:
        event.listen(audit, "after_create", DDL(statement).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]


def is_kept(connection: Connection) -> bool:
    """Whether nobody took the triggers away."""
    wanted = len(ON_SQLITE) if connection.dialect.name == "sqlite" else len(ON_POSTGRESQL) - 1
    found = connection.execute(text(_COUNTED[connection.dialect.name])).scalar_one()
    return int(found) >= wanted


def release(connection: Connection, *, kept: bool = False) -> None:
    """Let a server's table be replaced as a whole in this transaction; `kept`: no longer."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(f"ALTER TABLE audit {'ENABLE' if kept else 'DISABLE'} TRIGGER USER")
        )
