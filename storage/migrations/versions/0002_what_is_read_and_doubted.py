"""tags, captions, inferred dates; findings in doubt"""

import sqlalchemy as sa
from alembic import op

import storage.models

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # the defaults are for the findings that were read before
    no = sa.false()
    for name in ("borderline", "published_inferred"):
        op.add_column("findings", sa.Column(name, sa.Boolean(), nullable=False, server_default=no))
    tags: sa.Column[list[str]] = sa.Column(
        "tags", storage.models.WebJson(), nullable=False, server_default="[]"
    )
    op.add_column("findings", tags)
    op.add_column("findings", sa.Column("caption", storage.models.WebText(), nullable=True))


def downgrade() -> None:
    for name in ("caption", "tags", "published_inferred", "borderline"):
        op.drop_column("findings", name)
