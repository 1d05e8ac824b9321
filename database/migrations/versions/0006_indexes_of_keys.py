"""indexes by which keys are found."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.create_index("ix_keys_expires", ["expires_at", "state"], unique=False)
        batch_op.create_index("ix_keys_owner", ["owner", "created_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.drop_index("ix_keys_owner")
        batch_op.drop_index("ix_keys_expires")
