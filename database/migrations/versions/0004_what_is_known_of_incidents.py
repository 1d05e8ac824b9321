"""what is known of incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("owner", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("environment", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("summary", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("alerts", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("action", sa.Text(), server_default="none", nullable=False))
        batch_op.add_column(sa.Column("decision", sa.JSON(), server_default="{}", nullable=False))
        batch_op.create_index("ix_incidents_newest", ["updated_at", "id"], unique=False)
    op.execute(
        "UPDATE incidents SET alerts = "
        "(SELECT count(*) FROM alerts WHERE alerts.incident_id = incidents.id)"
    )


def downgrade() -> None:
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.drop_index("ix_incidents_newest")
        batch_op.drop_column("decision")
        batch_op.drop_column("action")
        batch_op.drop_column("alerts")
        batch_op.drop_column("summary")
        batch_op.drop_column("environment")
        batch_op.drop_column("owner")
