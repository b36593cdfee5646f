"""Names, labels and sessions of MONAI Label's clients."""

import sqlalchemy as sa
from alembic import op

revision = "m001"
down_revision = "d001"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "image_name",
        sa.Column("tenant", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("image_id", sa.String(64), nullable=False),
    )
    op.create_table(
        "image_label",
        sa.Column("tenant", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(200), primary_key=True),
        sa.Column("tag", sa.String(64), primary_key=True),
        sa.Column("image_id", sa.String(64)),
        sa.Column("markups", sa.Text),
        sa.Column("info", sa.JSON, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "image_session",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("image_id", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("expiry", sa.Integer, nullable=False),
    )
