"""which sources saw a link, what was left out, backfills, copies, old news"""

import sqlalchemy as sa
from alembic import op

from storage.models import UtcDateTime, WebJson, WebText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backfills",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("start", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("outlets", WebJson(), nullable=False),
        sa.Column("max_pages", sa.Integer(), nullable=True),
        sa.Column("delay", sa.Double(), nullable=True),
        sa.Column("begun", UtcDateTime(), nullable=False),
        sa.Column("finished", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "slices",
        sa.Column("backfill_id", sa.Integer(), nullable=False),
        sa.Column("outlet", sa.String(64), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("start", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("finished", UtcDateTime(), nullable=True),
        sa.Column("error", WebText(), nullable=True),
        sa.ForeignKeyConstraint(["backfill_id"], ["backfills.id"]),
        sa.PrimaryKeyConstraint("backfill_id", "outlet", "source", "start"),
    )
    # the defaults are for the rows that are there
    zero, no = sa.text("0"), sa.false()
    op.add_column("links", sa.Column("seen_in", sa.Integer(), nullable=False, server_default=zero))
    op.add_column("links", sa.Column("backfill_id", sa.Integer(), nullable=True))
    op.create_index("links_outlet_published", "links", ["outlet", "published"])
    op.create_index("links_backfill", "links", ["backfill_id"])
    op.add_column("crawls", sa.Column("missed", sa.Integer(), nullable=False, server_default=zero))
    op.add_column("crawls", sa.Column("dropped", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("crawls", sa.Column("backfill_id", sa.Integer(), nullable=True))
    op.add_column("findings", sa.Column("quiet", sa.Boolean(), nullable=False, server_default=no))
    op.add_column("findings", sa.Column("fingerprint", sa.String(64), nullable=True))
    op.add_column("findings", sa.Column("same_as", sa.Integer(), nullable=True))
    op.create_index("ix_findings_fingerprint", "findings", ["fingerprint"])
    op.add_column("leases", sa.Column("wanted", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("leases", "wanted")
    op.drop_index("ix_findings_fingerprint", "findings")
    for name in ("same_as", "fingerprint", "quiet"):
        op.drop_column("findings", name)
    for name in ("backfill_id", "dropped", "missed"):
        op.drop_column("crawls", name)
    op.drop_index("links_backfill", "links")
    op.drop_index("links_outlet_published", "links")
    for name in ("backfill_id", "seen_in"):
        op.drop_column("links", name)
    op.drop_table("slices")
    op.drop_table("backfills")
