"""tokens of people."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    with op.batch_alter_table("api_tokens") as batch_op:
        batch_op.add_column(sa.Column("owner", sa.Text(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_api_tokens_owner"), "users", ["owner"], ["name"])


def downgrade() -> None:
    # Nobody's token may more than its owner's: it is ended, not set free.
    op.execute(
        "UPDATE api_tokens SET revoked_at = COALESCE(revoked_at, created_at)"
        " WHERE owner IS NOT NULL"
    )
    with op.batch_alter_table("api_tokens") as batch_op:
        batch_op.drop_constraint(op.f("fk_api_tokens_owner"), type_="foreignkey")
        batch_op.drop_column("owner")
