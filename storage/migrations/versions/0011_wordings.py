"""what findings are compared by, read once; columns that nothing reads any more"""

import sqlalchemy as sa
from alembic import op

from storage.models import WebJson

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wordings",
        sa.Column("finding_id", sa.Integer(), sa.ForeignKey("findings.id"), primary_key=True),
        sa.Column("minhash", sa.LargeBinary(), nullable=False),
        sa.Column("names", WebJson(), nullable=False),
        sa.Column("days", WebJson(), nullable=False),
    )
    op.drop_column("findings", "subject_set")
    op.drop_column("finding_places", "told")
    if op.get_bind().dialect.name == "sqlite":
        # its parts are put together half as often: a sixth of what indexing a finding takes
        op.execute("INSERT INTO findings_words(findings_words, rank) VALUES ('automerge', 8)")


def downgrade() -> None:
    zero = sa.text("0")
    for table, column in (
        ("finding_places", sa.Column("told", sa.BigInteger(), nullable=False, server_default=zero)),
        ("findings", sa.Column("subject_set", sa.Integer(), nullable=False, server_default=zero)),
    ):
        op.add_column(table, column)
    op.drop_table("wordings")
