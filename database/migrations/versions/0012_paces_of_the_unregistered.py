"""paces of the unregistered."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    with op.batch_alter_table("denials") as batch_op:
        batch_op.add_column(sa.Column("per_min", sa.Integer(), nullable=True))


def downgrade() -> None:
    # What is older knows neither: a denial that it cannot read would stop it.
    op.execute("DELETE FROM denials WHERE kind IN ('credential', 'pace')")
    with op.batch_alter_table("denials") as batch_op:
        batch_op.drop_column("per_min")
