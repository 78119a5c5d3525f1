"""how many findings of each hour and day have a facet, for trends; short prefixes in the index"""

# ruff: noqa: S608 (nothing of what is put together comes from outside)

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The kinds are counted by the hour, so that the days of every zone can be told; outlets, subjects,
# provinces and regencies by the day: by the hour there would be as many rows as findings.
WHAT = "CASE WHEN facet LIKE 'p____' THEN 'r' ELSE substr(facet, 1, 1) END"
SINCE = "told - told % CASE WHEN facet LIKE 'k%' THEN 3600 ELSE 86400 END"
COUNTED = "substr(facet, 1, 1) IN ('k', 'o', 's') OR facet LIKE 'p__' OR facet LIKE 'p____'"
ONE_MORE = "ON CONFLICT (what, since, facet) DO UPDATE SET findings = tallies.findings + 1"


def words(prefixes: str) -> tuple[str, ...]:
    """The full-text index of SQLite with an index of the words' beginnings of so many letters:
    without one, all that is found is put in order before the first is given."""
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
    *words("2 3 4 5 6"),
    f"""CREATE VIEW tallied AS SELECT finding, {WHAT} AS what, {SINCE} AS since, facet
        FROM (
            SELECT findings.id AS finding, told, value AS facet
            FROM findings, json_each('["' || replace(facets, ' ', '","') || '"]')
            WHERE NOT dismissed
        ) WHERE {COUNTED}""",
    "INSERT INTO tallies SELECT what, since, facet, count(*) FROM tallied GROUP BY 1, 2, 3",
    *(
        f"""CREATE TRIGGER tallies_{name} BEFORE {event} ON findings BEGIN
            UPDATE tallies SET findings = findings - 1 WHERE (what, since, facet) IN
            (SELECT what, since, facet FROM tallied WHERE finding = old.id);
        END"""
        for name, event in (
            ("changing", "UPDATE OF id, told, facets, dismissed"),
            ("removing", "DELETE"),
        )
    ),
    *(
        f"""CREATE TRIGGER tallies_{name} AFTER {event} ON findings BEGIN
            INSERT INTO tallies SELECT what, since, facet, 1 FROM tallied
            WHERE finding = new.id {ONE_MORE};
        END"""
        for name, event in (
            ("added", "INSERT"),
            ("changed", "UPDATE OF id, told, facets, dismissed"),
        )
    ),
)
# Counted as the transaction ends, by one at a time: two that count the same things in another order
# would wait for each other. (0x74616C6C79: "tally")
POSTGRESQL = (
    f"""CREATE FUNCTION tallied(told bigint, facets text[])
        RETURNS TABLE (what text, since bigint, facet text) LANGUAGE sql IMMUTABLE ROWS 10
        AS $$ SELECT {WHAT}, {SINCE}, facet FROM unnest(facets) AS facet WHERE {COUNTED} $$""",
    """INSERT INTO tallies SELECT what, since, counted.facet, count(*)
        FROM findings, tallied(told, findings.facets) AS counted
        WHERE NOT dismissed GROUP BY 1, 2, 3""",
    f"""CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock(x'74616C6C79'::bigint);
        IF TG_OP <> 'INSERT' AND NOT OLD.dismissed THEN
            UPDATE tallies SET findings = findings - 1 WHERE (what, since, facet) IN
            (SELECT * FROM tallied(OLD.told, OLD.facets));
        END IF;
        IF TG_OP <> 'DELETE' AND NOT NEW.dismissed THEN
            INSERT INTO tallies SELECT *, 1 FROM tallied(NEW.told, NEW.facets) {ONE_MORE};
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE CONSTRAINT TRIGGER tallies
        AFTER INSERT OR DELETE OR UPDATE OF told, facets, dismissed ON findings
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tally()""",
)


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("what", sa.String(1), primary_key=True),
        sa.Column("since", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("facet", sa.Text(), primary_key=True),
        sa.Column("findings", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.drop_index("findings_dismissed", "findings")
    op.drop_index("finding_places_told", "finding_places")
    op.drop_index("findings_told", "findings")
    op.create_index(
        "findings_told",
        "findings",
        ["told", "id"],
        postgresql_include=["score", "borderline", "quiet", "dismissed"],
    )
    for statement in POSTGRESQL if _postgresql() else SQLITE:
        op.get_bind().exec_driver_sql(statement.replace("%", "%%") if _postgresql() else statement)


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def downgrade() -> None:
    if _postgresql():
        op.execute("DROP TRIGGER tallies ON findings")
        op.execute("DROP FUNCTION tally")
        op.execute("DROP FUNCTION tallied")
    else:
        for name in ("added", "changing", "changed", "removing"):
            op.execute(f"DROP TRIGGER tallies_{name}")
        op.execute("DROP VIEW tallied")
        for statement in words("6"):
            op.get_bind().exec_driver_sql(statement)
    op.drop_table("tallies")
    op.drop_index("findings_told", "findings")
    told = ["told", "id", "kind", "dismissed", "subject_set", "outlet"]
    op.create_index("findings_told", "findings", told)
    op.create_index("finding_places_told", "finding_places", ["told", "code", "finding_id"])
    op.create_index(
        "findings_dismissed",
        "findings",
        ["id"],
        sqlite_where=sa.text("dismissed"),
        postgresql_where=sa.text("dismissed"),
    )
