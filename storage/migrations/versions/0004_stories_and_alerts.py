"""stories, rules and channels, what is owed and delivered, how outlets do"""

import sqlalchemy as sa
from alembic import op

from storage.models import UtcDateTime, WebText

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stories",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("begun", UtcDateTime(), nullable=False),
        sa.Column("latest", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_stories_latest", "stories", ["latest"])
    op.create_table(
        "marks",
        sa.Column("mark", sa.String(64), primary_key=True),
        sa.Column("finding_id", sa.Integer(), sa.ForeignKey("findings.id"), primary_key=True),
    )
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "rules",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("channel_id", sa.Integer(), sa.ForeignKey("channels.id"), nullable=True),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("pace", sa.String(8), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("quiet_from", sa.String(5), nullable=True),
        sa.Column("quiet_to", sa.String(5), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("token", sa.String(64), nullable=False, unique=True),
        sa.Column("created", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "owed",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("rule_id", sa.Integer(), sa.ForeignKey("rules.id"), nullable=False),
        sa.Column("finding_id", sa.Integer(), sa.ForeignKey("findings.id"), nullable=False),
        sa.Column("story_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=True),
    )
    op.create_index("owed_once", "owed", ["rule_id", "story_id", "stage"], unique=True)
    op.create_index("owed_waiting", "owed", ["delivery_id", "due"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("key", sa.String(36), nullable=False, unique=True),
        sa.Column("channel_id", sa.Integer(), sa.ForeignKey("channels.id"), nullable=False),
        sa.Column("rule_id", sa.Integer(), sa.ForeignKey("rules.id"), nullable=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", UtcDateTime(), nullable=False),
        sa.Column("sent", UtcDateTime(), nullable=True),
        sa.Column("given_up", UtcDateTime(), nullable=True),
        sa.Column("error", WebText(), nullable=True),
    )
    op.create_index("deliveries_waiting", "deliveries", ["sent", "given_up", "next_try"])
    op.create_table(
        "outlet_states",
        sa.Column("outlet", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("why", WebText(), nullable=False),
    )
    op.add_column("findings", sa.Column("story_id", sa.Integer(), nullable=True))
    op.create_index("ix_findings_story_id", "findings", ["story_id"])


def downgrade() -> None:
    op.drop_index("ix_findings_story_id", "findings")
    op.drop_column("findings", "story_id")
    for table in ("outlet_states", "deliveries", "owed", "rules", "channels", "marks", "stories"):
        op.drop_table(table)
