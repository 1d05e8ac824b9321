"""dead letters that are read again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    with op.batch_alter_table("dead_letters") as batch_op:
        batch_op.add_column(sa.Column("state", sa.Text(), server_default="dead", nullable=False))
        batch_op.create_index(op.f("ix_dead_letters_state"), ["state"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("dead_letters") as batch_op:
        batch_op.drop_index(op.f("ix_dead_letters_state"))
        batch_op.drop_column("state")
