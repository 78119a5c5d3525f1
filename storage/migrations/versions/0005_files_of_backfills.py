"""backfills go through WARC files"""

import sqlalchemy as sa
from alembic import op

from storage.models import UtcDateTime, WebText

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COUNTS = ("records", "broken", "outside", "other")


def upgrade() -> None:
    op.create_table(
        "archive_files",
        sa.Column("backfill_id", sa.Integer(), sa.ForeignKey("backfills.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("place", WebText(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS),
        sa.Column("finished", UtcDateTime(), nullable=True),
        sa.Column("error", WebText(), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("archive_files")
