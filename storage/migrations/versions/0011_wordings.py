"""what findings are compared by, read once; cheaper indexing; columns that nothing reads"""

import sqlalchemy as sa
from alembic import op

from storage.models import WebText

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# What 0008 indexes, told in a third of the time: `translate` looks for each character in its whole
# list, this at ranges of ASCII. The column is no longer generated, but filled by a trigger, as
# another expression would have it all written anew.
WORDS = """to_tsvector(
    'indonesian'::regconfig,
    regexp_replace(
        left({0}title, 1000) || ' qendoftitleq ' || left({0}text, 100000),
        '[!-/:-@[-`{{-~]', ' ', 'g'
    )
)"""
POSTGRESQL = (
    "ALTER TABLE findings ALTER COLUMN words DROP EXPRESSION",
    f"""CREATE FUNCTION read_words() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.words := {WORDS.format("NEW.")};
        RETURN NEW;
    END $$""",
    """CREATE TRIGGER words BEFORE INSERT OR UPDATE OF title, text ON findings
        FOR EACH ROW EXECUTE FUNCTION read_words()""",
    # it is compressed already
    "ALTER TABLE snapshots ALTER COLUMN html SET STORAGE EXTERNAL",
)


def index(prefixes: str) -> tuple[str, ...]:
    """The full-text index of SQLite with an index of the words' beginnings of so many letters."""
    return (
        "DROP TABLE findings_words",
        f"""CREATE VIRTUAL TABLE findings_words USING fts5(
            title, text, facets,
            content='', tokenize='unicode61 remove_diacritics 0', prefix='{prefixes}'
        )""",
        """INSERT INTO findings_words(rowid, title, text, facets)
            SELECT (told << 30) + id, title, text, facets FROM findings ORDER BY told, id""",
    )


SQLITE = (
    # three of them do for what five did, see `storage.search`: a third of what indexing takes
    *index("2 4 6"),
    # its parts are put together a quarter as often: a fourth of what indexing takes
    "INSERT INTO findings_words(findings_words, rank) VALUES ('automerge', 16)",
    "INSERT INTO findings_words(findings_words, rank) VALUES ('crisismerge', 32)",
    "DROP TRIGGER tallies_added",
    # as before, but without reading the row again
    """CREATE TRIGGER tallies_added AFTER INSERT ON findings WHEN NOT new.dismissed BEGIN
        INSERT INTO tallies
        SELECT CASE WHEN facet LIKE 'p____' THEN 'r' ELSE substr(facet, 1, 1) END,
            new.told - new.told % CASE WHEN facet LIKE 'k%' THEN 3600 ELSE 86400 END, facet, 1
        FROM (
            SELECT value AS facet
            FROM json_each('["' || replace(new.facets, ' ', '","') || '"]')
        )
        WHERE substr(facet, 1, 1) IN ('k', 'o', 's') OR facet LIKE 'p__' OR facet LIKE 'p____'
        ON CONFLICT (what, since, facet) DO UPDATE SET findings = tallies.findings + 1;
    END""",
)
# `findings_news` begins with when it was found
UNUSED_INDEXES = "published", "found", "kind"


def upgrade() -> None:
    op.create_table(
        "wordings",
        sa.Column("finding_id", sa.Integer(), sa.ForeignKey("findings.id"), primary_key=True),
        sa.Column("minhash", sa.LargeBinary(), nullable=False),
        sa.Column("words", WebText(), nullable=False),
    )
    op.drop_column("findings", "subject_set")
    op.drop_column("finding_places", "told")
    for unused in UNUSED_INDEXES:
        op.drop_index(f"ix_findings_{unused}", "findings")
    for statement in POSTGRESQL if _postgresql() else SQLITE:
        op.get_bind().exec_driver_sql(statement)


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def downgrade() -> None:
    if _postgresql():
        op.execute("ALTER TABLE snapshots ALTER COLUMN html SET STORAGE EXTENDED")
        op.execute("DROP TRIGGER words ON findings")
        op.execute("DROP FUNCTION read_words")
        op.drop_column("findings", "words")
        words = f"ADD COLUMN words tsvector GENERATED ALWAYS AS ({WORDS.format('')}) STORED"
        op.get_bind().exec_driver_sql(f"ALTER TABLE findings {words}")
        op.execute("ALTER TABLE findings ALTER COLUMN words SET STATISTICS 1000")
        op.execute("CREATE INDEX findings_words ON findings USING gin (words, facets)")
    else:
        for statement in index("2 3 4 5 6"):
            op.get_bind().exec_driver_sql(statement)
        op.execute("DROP TRIGGER tallies_added")
        op.get_bind().exec_driver_sql(
            """CREATE TRIGGER tallies_added AFTER INSERT ON findings BEGIN
                INSERT INTO tallies SELECT what, since, facet, 1 FROM tallied
                WHERE finding = new.id
                ON CONFLICT (what, since, facet) DO UPDATE SET findings = tallies.findings + 1;
            END"""
        )
    for unused in UNUSED_INDEXES:
        op.create_index(f"ix_findings_{unused}", "findings", [unused])
    zero = sa.text("0")
    for table, column in (
        ("finding_places", sa.Column("told", sa.BigInteger(), nullable=False, server_default=zero)),
        ("findings", sa.Column("subject_set", sa.Integer(), nullable=False, server_default=zero)),
    ):
        op.add_column(table, column)
    op.drop_table("wordings")
