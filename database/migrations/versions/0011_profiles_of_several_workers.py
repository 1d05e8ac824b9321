"""profiles of several workers."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    with op.batch_alter_table("profile_deltas") as batch_op:
        batch_op.add_column(
            sa.Column("shard", sa.Text(), server_default="", nullable=False),
        )
        batch_op.drop_constraint("pk_profile_deltas", type_="primary")
        batch_op.create_primary_key("pk_profile_deltas", ["shard", "batch"])


def downgrade() -> None:
    op.execute("DELETE FROM profile_deltas WHERE shard <> ''")
    with op.batch_alter_table("profile_deltas") as batch_op:
        batch_op.drop_constraint("pk_profile_deltas", type_="primary")
        batch_op.create_primary_key("pk_profile_deltas", ["batch"])
        batch_op.drop_column("shard")
