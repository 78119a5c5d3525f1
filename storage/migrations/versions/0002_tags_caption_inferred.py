"""tags, captions, inferred dates"""

import sqlalchemy as sa
from alembic import op

import storage.models

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # the defaults are for the findings that were read before
    for column in (
        sa.Column("published_inferred", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("tags", storage.models.WebJson(), nullable=False, server_default="[]"),
        sa.Column("caption", storage.models.WebText(), nullable=True),
    ):
        op.add_column("findings", column)


def downgrade() -> None:
    for name in ("caption", "tags", "published_inferred"):
        op.drop_column("findings", name)
