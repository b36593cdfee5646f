"""API keys, the sessions of browsers, and the audit."""

import sqlalchemy as sa
from alembic import op

revision = "a001"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("scopes", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("expires", sa.String(32)),
        sa.Column("used", sa.String(32)),
        sa.Column("revoked", sa.String(32)),
    )
    op.create_index("ix_api_key_name", "api_key", ["name"], unique=True)
    op.create_table(
        "browser_session",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("expires", sa.String(32), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("moment", sa.String(32), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("action", sa.String(200), nullable=False),
        sa.Column("object", sa.String(200), nullable=False),
        sa.Column("outcome", sa.Integer, nullable=False),
        sa.Column("request", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
