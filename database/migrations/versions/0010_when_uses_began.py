"""when uses began."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("usage") as batch_op:
        batch_op.add_column(sa.Column("first_at", sa.Float(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("usage") as batch_op:
        batch_op.drop_column("first_at")
