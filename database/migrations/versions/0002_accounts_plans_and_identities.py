"""accounts, plans, identities, deny lists, usage and imports.

Going back loses what the older schema cannot say. Nobody may gain by that: identities that are no
keys go, and keys that were narrowed, or whose account was suspended, are suspended.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "denials",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("issued_before", sa.Float(), nullable=True),
        sa.Column("until", sa.Float(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_denials")),
        sa.UniqueConstraint("kind", "issuer", "value", name=op.f("uq_denials_kind")),
    )
    op.create_table(
        "imports",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("done_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_imports")),
    )
    op.create_table(
        "organisations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_limits", sa.JSON(), nullable=False),
        sa.Column("account_limits", sa.JSON(), nullable=False),
        sa.Column("plan_limits", sa.JSON(), nullable=False),
        sa.Column("tokens_per_min", sa.BigInteger(), nullable=True),
        sa.Column("tokens_per_day", sa.BigInteger(), nullable=True),
        sa.Column("tokens_per_month", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    op.create_table(
        "usage",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column(
            "hour",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("status_class", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "key_id", "hour", "method", "status_class", "network", name=op.f("pk_usage")
        ),
    )
    with op.batch_alter_table("usage", schema=None) as batch_op:
        batch_op.create_index("ix_usage_hour", ["hour"], unique=False)

    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("owner", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("organisation_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("plan_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("throttle_per_min", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("throttle_until", sa.Float(), nullable=True))
        batch_op.add_column(
            sa.Column("suspended", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column("suspended_until", sa.Float(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_accounts_organisation_id"), ["organisation_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_accounts_plan_id"), ["plan_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_accounts_plan_id"), "plans", ["plan_id"], ["id"])
        batch_op.create_foreign_key(
            batch_op.f("fk_accounts_organisation_id"), "organisations", ["organisation_id"], ["id"]
        )

    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.Text(), server_default="key", nullable=False))
        batch_op.add_column(sa.Column("networks", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("endpoints", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("models", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("requires", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("plan_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("limits", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("tokens_per_min", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("tokens_per_day", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("tokens_per_month", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("declared", sa.JSON(), server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("store", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("external_id", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("deprecated_at", sa.Float(), nullable=True))
        batch_op.create_index("ix_keys_external", ["store", "external_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_keys_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index("ix_keys_state", ["state", "grace_until"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_keys_plan_id"), "plans", ["plan_id"], ["id"])


_NARROWED = """
UPDATE keys SET suspended = TRUE, suspended_until = NULL
WHERE CAST(networks AS TEXT) <> '[]' OR CAST(endpoints AS TEXT) <> '[]'
   OR CAST(models AS TEXT) <> '[]' OR CAST(requires AS TEXT) <> '[]'
   OR account_id IN (SELECT id FROM accounts WHERE suspended)
"""


def downgrade() -> None:
    op.execute("DELETE FROM keys WHERE kind <> 'key'")
    op.execute(_NARROWED)
    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_keys_plan_id"), type_="foreignkey")
        batch_op.drop_index("ix_keys_state")
        batch_op.drop_index(batch_op.f("ix_keys_plan_id"))
        batch_op.drop_index("ix_keys_external")
        batch_op.drop_column("deprecated_at")
        batch_op.drop_column("external_id")
        batch_op.drop_column("store")
        batch_op.drop_column("declared")
        batch_op.drop_column("tokens_per_month")
        batch_op.drop_column("tokens_per_day")
        batch_op.drop_column("tokens_per_min")
        batch_op.drop_column("limits")
        batch_op.drop_column("plan_id")
        batch_op.drop_column("requires")
        batch_op.drop_column("models")
        batch_op.drop_column("endpoints")
        batch_op.drop_column("networks")
        batch_op.drop_column("kind")

    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_accounts_organisation_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_accounts_plan_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_accounts_plan_id"))
        batch_op.drop_index(batch_op.f("ix_accounts_organisation_id"))
        batch_op.drop_column("suspended_until")
        batch_op.drop_column("suspended")
        batch_op.drop_column("throttle_until")
        batch_op.drop_column("throttle_per_min")
        batch_op.drop_column("plan_id")
        batch_op.drop_column("organisation_id")
        batch_op.drop_column("owner")

    with op.batch_alter_table("usage", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_hour")

    op.drop_table("usage")
    op.drop_table("plans")
    op.drop_table("organisations")
    op.drop_table("imports")
    op.drop_table("denials")
