"""the full-text index of findings, what they are filtered by, and their reviews"""

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.models import Facets, UtcDateTime, WebText, told
from storage.search import facets

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BATCH = 1000
# of ASCII; % and ' are doubled, as the driver and SQL want them
PUNCTUATION = "!\"#$%%&''()*+,-./:;<=>?@[\\]^_`{|}~"

# the row id grows with the time told, so that the newest stand at the index's end
SQLITE = (
    """CREATE VIRTUAL TABLE findings_words USING fts5(
        title, text, facets, content='', tokenize='unicode61 remove_diacritics 0', prefix='6'
    )""",
    """INSERT INTO findings_words(rowid, title, text, facets)
        SELECT (told << 30) + id, title, text, facets FROM findings ORDER BY told, id""",
    """CREATE TRIGGER findings_words_added AFTER INSERT ON findings BEGIN
        INSERT INTO findings_words(rowid, title, text, facets)
        VALUES ((new.told << 30) + new.id, new.title, new.text, new.facets);
    END""",
    """CREATE TRIGGER findings_words_changed
    AFTER UPDATE OF id, told, title, text, facets ON findings BEGIN
        INSERT INTO findings_words(findings_words, rowid, title, text, facets)
        VALUES ('delete', (old.told << 30) + old.id, old.title, old.text, old.facets);
        INSERT INTO findings_words(rowid, title, text, facets)
        VALUES ((new.told << 30) + new.id, new.title, new.text, new.facets);
    END""",
    """CREATE TRIGGER findings_words_removed AFTER DELETE ON findings BEGIN
        INSERT INTO findings_words(findings_words, rowid, title, text, facets)
        VALUES ('delete', (old.told << 30) + old.id, old.title, old.text, old.facets);
    END""",
)
# Its parser would take "camat/lurah" for a path: words are what stands between punctuation. A
# tsvector has a largest size, so that a text has one, too. The word in between keeps a phrase from
# reaching out of the title.
POSTGRESQL = (
    f"""ALTER TABLE findings ADD COLUMN words tsvector GENERATED ALWAYS AS (to_tsvector(
        'indonesian'::regconfig,
        translate(
            left(title, 1000) || ' qendoftitleq ' || left(text, 100000),
            '{PUNCTUATION}',
            '{" " * (len(PUNCTUATION) - 2)}'
        )
    )) STORED""",
    "ALTER TABLE findings ALTER COLUMN words SET STATISTICS 1000",
    "ALTER TABLE findings ALTER COLUMN facets SET STATISTICS 1000",
    "CREATE INDEX findings_words ON findings USING gin (words, facets)",
)


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("finding_id", sa.Integer(), sa.ForeignKey("findings.id"), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("relevant", sa.Boolean(), nullable=True),
        sa.Column("kind", sa.String(16), nullable=True),
        sa.Column("judged", sa.String(16), nullable=False),
        sa.Column("assigned_to", sa.Integer(), nullable=True),
        sa.Column("note", WebText(), nullable=True),
        sa.Column("changed", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    op.create_table(
        "review_changes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("finding_id", sa.Integer(), sa.ForeignKey("findings.id"), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("field", sa.String(16), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
    )
    op.create_index("review_changes_finding", "review_changes", ["finding_id", "id"])
    # the defaults are for the rows that are there
    zero, none = sa.text("0"), sa.text("'{}'" if _postgresql() else "''")
    for added in (
        sa.Column("told", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("dismissed", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("subject_set", sa.Integer(), nullable=False, server_default=zero),
        sa.Column("facets", Facets(), nullable=False, server_default=none),
    ):
        op.add_column("findings", added)
    place_told = sa.Column("told", sa.BigInteger(), nullable=False, server_default=zero)
    op.add_column("finding_places", place_told)
    _fill()
    op.create_index(
        "findings_told",
        "findings",
        ["told", "id", "kind", "dismissed", "subject_set", "outlet"],
    )
    op.create_index(
        "findings_news",
        "findings",
        ["found", "story_id", "kind", "outlet", "quiet", "dismissed"],
    )
    op.create_index(
        "findings_dismissed",
        "findings",
        ["id"],
        sqlite_where=sa.text("dismissed"),
        postgresql_where=sa.text("dismissed"),
    )
    op.create_index("finding_places_told", "finding_places", ["told", "code", "finding_id"])
    for statement in POSTGRESQL if _postgresql() else SQLITE:
        op.get_bind().exec_driver_sql(statement)


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _fill() -> None:
    """Give the findings that are there what is new of them."""
    connection = op.get_bind()
    rows = sa.text(
        "SELECT id, published, found, kind, outlet, score, borderline, quiet, subjects"
        " FROM findings WHERE id > :after ORDER BY id LIMIT :most"
    ).columns(published=UtcDateTime(), found=UtcDateTime())
    of_places = sa.text(
        "SELECT finding_id, code FROM finding_places"
        " WHERE finding_id >= :first AND finding_id <= :last ORDER BY finding_id, position"
    )
    fill = sa.text("UPDATE findings SET told = :told, facets = :facets WHERE id = :id").bindparams(
        sa.bindparam("facets", type_=Facets())
    )
    fill_places = sa.text("UPDATE finding_places SET told = :told WHERE finding_id = :id")
    after = 0
    while batch := connection.execute(rows, {"after": after, "most": BATCH}).all():
        after = batch[-1].id
        codes: dict[int, list[str]] = defaultdict(list)
        for id_, code in connection.execute(of_places, {"first": batch[0].id, "last": after}):
            codes[id_].append(code)
        filled = [_filled(row, codes[row.id]) for row in batch]
        connection.execute(fill, filled)
        connection.execute(fill_places, [{"told": f["told"], "id": f["id"]} for f in filled])


def _filled(row: Any, places: list[str]) -> dict[str, Any]:
    subjects = json.loads(row.subjects) if isinstance(row.subjects, str) else row.subjects
    published: datetime | None = row.published
    return {
        "id": row.id,
        "told": told(published, row.found.astimezone(UTC)),
        "facets": facets(
            kind=row.kind,
            outlet=row.outlet,
            subjects=subjects,
            places=places,
            score=row.score,
            borderline=bool(row.borderline),
            quiet=bool(row.quiet),
        ),
    }


def downgrade() -> None:
    if _postgresql():
        op.drop_column("findings", "words")
    else:
        for name in ("added", "changed", "removed"):
            op.execute(f"DROP TRIGGER findings_words_{name}")
        op.execute("DROP TABLE findings_words")
    op.drop_index("finding_places_told", "finding_places")
    for index in ("findings_dismissed", "findings_news", "findings_told"):
        op.drop_index(index, "findings")
    op.drop_column("finding_places", "told")
    for column in ("facets", "subject_set", "dismissed", "told"):
        op.drop_column("findings", column)
    op.drop_table("review_changes")
    op.drop_table("reviews")
