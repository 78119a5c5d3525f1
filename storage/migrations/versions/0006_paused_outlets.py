"""outlets that are paused"""

import sqlalchemy as sa
from alembic import op

from storage.models import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outlet_states", sa.Column("paused", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("outlet_states", "paused")
