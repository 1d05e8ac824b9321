"""what keys have spent."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("window_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "window_s", name=op.f("pk_budgets")),
    )
    op.create_index(op.f("ix_budgets_at"), "budgets", ["at"])


def downgrade() -> None:
    op.drop_table("budgets")
