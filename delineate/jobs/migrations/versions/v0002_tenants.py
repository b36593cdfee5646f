"""Whose a job is, where it waits and how urgent it is; who works."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and tables; what is there becomes the tenant's ``local``."""
    for column in (
        sa.Column("tenant", sa.String(32), nullable=False, server_default="local"),
        sa.Column("queue", sa.String(32), nullable=False, server_default="default"),
        sa.Column("priority", sa.Integer, nullable=False, server_default="5"),
        sa.Column("key", sa.String(200)),
        sa.Column("retry_of", sa.String(26)),
        sa.Column("dead", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("turn", sa.String(64)),
        sa.Column("worker", sa.String(100)),
        sa.Column("causes", sa.JSON, nullable=False, server_default="[]"),
    ):
        op.add_column("job", column)
    op.create_index("ix_job_tenant_key", "job", ["tenant", "key"], unique=True)
    op.create_index("ix_job_queue_state", "job", ["queue", "state"])
    op.create_table(
        "worker",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("queue", sa.String(32), nullable=False),
        sa.Column("machine", sa.String(255), nullable=False),
        sa.Column("started", sa.String(32), nullable=False),
    )
