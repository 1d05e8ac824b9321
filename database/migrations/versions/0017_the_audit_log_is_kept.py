"""the audit log is kept by triggers."""

from alembic import op

from database.schema.keeping import ON_POSTGRESQL, ON_SQLITE

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    # Not through `text`, to which a colon in JSON would be a parameter.
    for statement in ON_SQLITE if _is_sqlite() else ON_POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    if _is_sqlite():
        for name in ("changed", "deleted", "replaced"):
            op.execute(f"DROP TRIGGER audit_is_not_{name}")
        return
    for name in ("changed", "emptied"):
        op.execute(f"DROP TRIGGER audit_is_not_{name} ON audit")
    op.execute("DROP FUNCTION audit_is_kept()")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
