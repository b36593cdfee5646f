"""The job table, as it was before there were versions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table; where an older delineate has made it, add what that one lacks."""
    found = sa.inspect(op.get_bind())
    if found.has_table("job"):
        if "modality" not in {column["name"] for column in found.get_columns("job")}:
            op.add_column("job", sa.Column("modality", sa.String(16)))
        return
    op.create_table(
        "job",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("stage", sa.String(100), nullable=False),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("error_code", sa.String(100)),
        sa.Column("error_message", sa.String(2000)),
        sa.Column("image_id", sa.String(64), nullable=False),
        sa.Column("series", sa.String(200), nullable=False),
        sa.Column("detector", sa.String(200), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("modality", sa.String(16)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("cancelling", sa.Boolean, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("started", sa.String(32)),
        sa.Column("finished", sa.String(32)),
    )
