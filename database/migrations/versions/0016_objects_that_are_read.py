"""objects that are read."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "read_objects",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("names", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_objects")),
    )
    op.create_index(op.f("ix_read_objects_folder"), "read_objects", ["folder"])


def downgrade() -> None:
    op.drop_index(op.f("ix_read_objects_folder"), "read_objects")
    op.drop_table("read_objects")
