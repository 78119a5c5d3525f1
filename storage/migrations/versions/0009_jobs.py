"""what is asked for in the browser; backfills that are to pause, or are cancelled"""

import sqlalchemy as sa
from alembic import op

from storage.models import UtcDateTime, WebJson, WebText

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("about", sa.String(255), nullable=False),
        sa.Column("who", sa.String(64), nullable=True),
        sa.Column("asked", UtcDateTime(), nullable=False),
        sa.Column("started", UtcDateTime(), nullable=True),
        sa.Column("finished", UtcDateTime(), nullable=True),
        sa.Column("cancelled", UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("result", WebJson(), nullable=False),
        sa.Column("error", WebText(), nullable=True),
    )
    op.create_index("jobs_state", "jobs", ["state", "id"])
    op.create_index("jobs_about", "jobs", ["about", "id"])
    op.add_column("backfills", sa.Column("asked", sa.String(6), nullable=True))


def downgrade() -> None:
    op.drop_column("backfills", "asked")
    op.drop_table("jobs")
