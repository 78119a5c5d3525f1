"""The tables."""

import re
from datetime import UTC, datetime, timedelta
from enum import IntFlag, StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator, TypeEngine

_EARLIEST = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
_LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored and given back in UTC; SQLite would otherwise make it naive,
    PostgreSQL give it the zone of its server. Those within two days of the calendar's ends are
    moved inward, where every zone can show them."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return min(max(value, _EARLIEST), _LATEST).astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo:
            return value and value.astimezone(UTC)
        return value.replace(tzinfo=UTC)


def storable(text: str) -> str:
    """`text` as every database takes it: PostgreSQL refuses NUL, and no encoding has lone
    surrogates. Each becomes one U+FFFD, so that offsets into the text stay right."""
    if text.isascii() and "\0" not in text:  # most of what is stored; told in no time
        return text
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


class WebText(TypeDecorator[str]):
    """Text that may come from the web; see `storable`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class WebJson(TypeDecorator[list[Any]]):
    """A list, as JSON, of what may come from the web; see `storable`."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: list[Any] | None, dialect: Dialect) -> Any:
        return _storable_json(value)


def _storable_json(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case list() | tuple():
            return [_storable_json(item) for item in value]
        case dict():
            return {name: _storable_json(item) for name, item in value.items()}
        case _:
            return value


class Facets(TypeDecorator[tuple[str, ...]]):
    """What a finding is filtered by, as words (see `storage.search.facets`): an array on
    PostgreSQL, on SQLite a text for its full-text index."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        array = dialect.name == "postgresql"
        return dialect.type_descriptor(postgresql.ARRAY(Text()) if array else Text())

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> Any:
        words = value or ()
        return list(words) if dialect.name == "postgresql" else " ".join(words)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...]:
        return tuple(value.split() if isinstance(value, str) else value or ())


def told(published: datetime | None, found: datetime) -> int:
    """When news was told, in seconds since 1970: published, or else found; nothing was published
    after it was found, whatever its page says."""
    moment = min(published or found, found)
    return max(0, int(moment.timestamp()))


def _told(context: DefaultExecutionContext) -> int:
    row: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return told(row.get("published"), row["found"])


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {str: WebText, datetime: UtcDateTime, list[Any]: WebJson}


class State(StrEnum):
    """What became of a link. All but PENDING and SKIPPED are final: the URL is settled."""

    PENDING = "pending"  # listed by a source, not fetched yet
    SKIPPED = "skipped"  # older than the window of the crawl that saw it; a backfill may take it
    GATED = "gated"  # fetched; without the words that any finding has
    EMPTY = "empty"  # fetched; no article in it
    REJECTED = "rejected"  # an article, not about neutrality
    FOUND = "found"  # a finding
    TWIN = "twin"  # led to an address that another link stands for
    FAILED = "failed"  # could not be fetched or read


class SeenIn(IntFlag):
    """Which of an outlet's ways to list its articles have listed a link: what one of them misses
    is known by what another one lists (see `storage.coverage`)."""

    DAILY = 1  # a source that every crawl reads
    SPARE = 2  # one that is asked once a week
    SEARCH = 4  # the site's search for the topic's terms
    PAST = 8  # a backfill
    STAND_IN = DAILY | SPARE  # a spare one, where a daily one fails


class Link(Base):
    """An address found in a source. `url` is its canonical form, `address` what is fetched.

    `backfill_id` is the backfill that is to fetch it; the daily crawl leaves it alone until a
    daily source lists it, too. `seen_in` holds flags of SeenIn."""

    __tablename__ = "links"
    __table_args__ = (
        Index("links_outlet_state", "outlet", "state"),
        Index("links_outlet_published", "outlet", "published"),
        Index("links_backfill", "backfill_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(unique=True)
    address: Mapped[str]
    outlet: Mapped[str] = mapped_column(String(64))
    state: Mapped[State] = mapped_column(String(8))
    discovered: Mapped[datetime]
    published: Mapped[datetime | None]  # as the source says, else as its page does
    modified: Mapped[datetime | None]  # as the source says
    settled: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    seen_in: Mapped[int] = mapped_column(default=0)
    backfill_id: Mapped[int | None]


class Source(Base):
    """How far one source of an outlet has been read.

    `completed` is when the last reading that came to its end ended: what was discovered until then
    is known, what came later may be the trace of a reading that was cut short.
    """

    __tablename__ = "sources"

    outlet: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    completed: Mapped[datetime | None]
    error: Mapped[str | None]


class Validator(Base):
    """What a server gave to ask "anything new since?" with, by the address asked."""

    __tablename__ = "validators"

    url: Mapped[str] = mapped_column(primary_key=True)
    etag: Mapped[str | None]
    last_modified: Mapped[str | None]


class Finding(Base):
    """A stored article that is relevant or in doubt, as it was last seen. `dismissed`: a reviewer
    says that it is not relevant. Its words are indexed by the database itself; see
    `storage.search`."""

    __tablename__ = "findings"
    __table_args__ = (
        Index(
            "findings_told",
            "told",
            "id",
            postgresql_include=["score", "borderline", "quiet", "dismissed"],
        ),
        Index("findings_news", "found", "story_id", "kind", "outlet", "quiet", "dismissed"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    link_id: Mapped[int] = mapped_column(ForeignKey("links.id"), unique=True)
    url: Mapped[str]
    outlet: Mapped[str] = mapped_column(String(64), index=True)
    title: Mapped[str]
    text: Mapped[str]
    authors: Mapped[list[Any]]
    published: Mapped[datetime | None]
    published_offset: Mapped[int | None]  # minutes east of UTC
    published_from: Mapped[str | None] = mapped_column(String(16))
    published_inferred: Mapped[bool]
    found: Mapped[datetime]  # when it was first stored
    fetched: Mapped[datetime]
    dateline: Mapped[str | None]
    section: Mapped[str | None]
    tags: Mapped[list[Any]]
    image: Mapped[str | None]
    caption: Mapped[str | None]
    language: Mapped[str | None] = mapped_column(String(16))
    paid: Mapped[bool]
    kind: Mapped[str] = mapped_column(String(16))
    score: Mapped[float]
    borderline: Mapped[bool]
    subjects: Mapped[list[Any]]
    evidence: Mapped[list[Any]]
    quiet: Mapped[bool] = mapped_column(default=False)  # old news: of a backfill or a first crawl
    fingerprint: Mapped[str | None] = mapped_column(String(64), index=True)  # of the bare text
    same_as: Mapped[int | None]  # the id of the finding whose copy it is
    story_id: Mapped[int | None] = mapped_column(index=True)
    told: Mapped[int] = mapped_column(BigInteger, default=_told)  # seconds since 1970
    dismissed: Mapped[bool] = mapped_column(default=False)
    facets: Mapped[tuple[str, ...]] = mapped_column(Facets, default=())
    places: Mapped[list["FindingPlace"]] = relationship(
        order_by="FindingPlace.position", cascade="all, delete-orphan"
    )
    revisions: Mapped[list["Revision"]] = relationship(order_by="Revision.number")


class FindingPlace(Base):
    """Where a finding happened; position 0 is the most probable place."""

    __tablename__ = "finding_places"
    __table_args__ = (Index("finding_places_province", "province"),)

    finding_id: Mapped[int] = mapped_column(ForeignKey("findings.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(16))
    level: Mapped[str] = mapped_column(String(16))
    name: Mapped[str]
    province: Mapped[str]


class Tally(Base):
    """How many findings told in the hour (of kinds) or day (of all else) from `since` on, in
    seconds since 1970, have `facet`; without those dismissed. `what` is "k" for kinds, "o" outlets,
    "s" subjects, "p" provinces, "r" regencies. The database itself counts, by triggers."""

    __tablename__ = "tallies"

    what: Mapped[str] = mapped_column(String(1), primary_key=True)
    since: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    facet: Mapped[str] = mapped_column(primary_key=True)
    findings: Mapped[int]


class Revision(Base):
    """One wording of a finding, with the pages that prove it. Number 1 is the first seen."""

    __tablename__ = "revisions"
    __table_args__ = (Index("revisions_finding", "finding_id", "number", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    finding_id: Mapped[int] = mapped_column(ForeignKey("findings.id"))
    number: Mapped[int]
    fetched: Mapped[datetime]
    title: Mapped[str]
    text: Mapped[str]
    snapshots: Mapped[list["Snapshot"]] = relationship(order_by="Snapshot.page")


class Snapshot(Base):
    """The HTML of one page as it was fetched, compressed (zstd); `sha256` is of the raw bytes."""

    __tablename__ = "snapshots"

    id: Mapped[int] = mapped_column(primary_key=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id"), index=True)
    page: Mapped[int]  # 1, 2, … of a split article
    url: Mapped[str]
    fetched: Mapped[datetime]
    charset: Mapped[str | None] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    html: Mapped[bytes] = mapped_column(LargeBinary)


class Crawl(Base):
    """One outlet's crawl, with what it gave. Crawls started together share `run`; `missed` are the
    links that no daily source had listed, `dropped` says how many links were left out, by why."""

    __tablename__ = "crawls"
    __table_args__ = (Index("crawls_outlet", "outlet", "started"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(String(32), index=True)
    outlet: Mapped[str] = mapped_column(String(64))
    started: Mapped[datetime] = mapped_column(index=True)
    finished: Mapped[datetime | None]
    links: Mapped[int] = mapped_column(default=0)
    new: Mapped[int] = mapped_column(default=0)
    fetched: Mapped[int] = mapped_column(default=0)
    gated: Mapped[int] = mapped_column(default=0)
    findings: Mapped[int] = mapped_column(default=0)
    errors: Mapped[int] = mapped_column(default=0)
    note: Mapped[str | None]
    missed: Mapped[int] = mapped_column(default=0)
    dropped: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    backfill_id: Mapped[int | None]


class Backfill(Base):
    """A journey into the past: what `outlets` published from `start` until `until`.

    `max_pages` is the most article pages to fetch of each outlet, `delay` the least seconds
    between two requests to one, where it is not that of every day. `asked` is "pause" or "cancel"
    where somebody asked for that: the process at it, whoever started it, ends itself then."""

    __tablename__ = "backfills"

    id: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[datetime]
    until: Mapped[datetime]
    outlets: Mapped[list[Any]]
    max_pages: Mapped[int | None]
    delay: Mapped[float | None]
    begun: Mapped[datetime]
    finished: Mapped[datetime | None]
    asked: Mapped[str | None] = mapped_column(String(6))


class Slice(Base):
    """A part of a backfill: what one source of an outlet lists from `start` until `until`.

    `cursor` is how many pages of the listing have been read, so that a backfill cut short goes on
    there; `listed` how many links they gave. It is done when `finished` is set."""

    __tablename__ = "slices"

    backfill_id: Mapped[int] = mapped_column(ForeignKey("backfills.id"), primary_key=True)
    outlet: Mapped[str] = mapped_column(String(64), primary_key=True)
    source: Mapped[str] = mapped_column(String(255), primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    until: Mapped[datetime]
    cursor: Mapped[int] = mapped_column(default=0)
    listed: Mapped[int] = mapped_column(default=0)
    finished: Mapped[datetime | None]
    error: Mapped[str | None]


class ArchiveFile(Base):
    """A WARC file that a backfill goes through, by its path or address (`place`).

    What lies before `position`, in bytes, is stored, so that a backfill cut short goes on there;
    the counts are of that, see `crawler.past.warc.Tally`. It is done when `finished` is set."""

    __tablename__ = "archive_files"

    backfill_id: Mapped[int] = mapped_column(ForeignKey("backfills.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    records: Mapped[int] = mapped_column(default=0)
    broken: Mapped[int] = mapped_column(default=0)
    outside: Mapped[int] = mapped_column(default=0)
    other: Mapped[int] = mapped_column(default=0)
    finished: Mapped[datetime | None]
    error: Mapped[str | None]


class Lease(Base):
    """The right to do one thing, for a time: crawl an outlet, run a slot of the schedule.

    `done` marks what must never be done again (a slot that ran); `wanted` is when somebody who
    goes before the holder last asked for it in vain.
    """

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    expires: Mapped[datetime]
    done: Mapped[bool] = mapped_column(default=False)
    wanted: Mapped[datetime | None]


class Job(Base):
    """What somebody (`who`) asked for in the browser, for a process that does such: `kind` with its
    `arguments`, `about` an outlet, a site or a backfill. `state` is one of `storage.jobs.JobState`.

    `result` holds the JSON documents that it gave, `error` in one sentence what went wrong; `tries`
    is how often it was begun, `cancelled` when somebody asked for its end."""

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_state", "state", "id"), Index("jobs_about", "about", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    about: Mapped[str] = mapped_column(String(255))
    who: Mapped[str | None] = mapped_column(String(64))
    asked: Mapped[datetime]
    started: Mapped[datetime | None]
    finished: Mapped[datetime | None]
    cancelled: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(9))
    tries: Mapped[int] = mapped_column(default=0)
    result: Mapped[list[Any]] = mapped_column(default=list)
    error: Mapped[str | None]


class Story(Base):
    """Findings that tell the same thing. `first` is the finding that told it first, `count` how
    many do, `latest` when the last of them was found."""

    __tablename__ = "stories"

    id: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[int]
    count: Mapped[int] = mapped_column(default=1)
    begun: Mapped[datetime]
    latest: Mapped[datetime] = mapped_column(index=True)


class Mark(Base):
    """A trait by which the findings of one story find each other: a band of the text's MinHash, or
    what happened where and when; see `storage.stories`."""

    __tablename__ = "marks"

    mark: Mapped[str] = mapped_column(String(64), primary_key=True)
    finding_id: Mapped[int] = mapped_column(ForeignKey("findings.id"), primary_key=True)


class Wording(Base):
    """What findings are compared by, read once; see `extract.likeness`. Findings stored before
    there was this table, or whose wording changed since, have none: theirs is read from their
    text."""

    __tablename__ = "wordings"

    finding_id: Mapped[int] = mapped_column(ForeignKey("findings.id"), primary_key=True)
    minhash: Mapped[bytes] = mapped_column(LargeBinary)  # its numbers, four bytes each
    words: Mapped[str]  # a line each of names (all, actors', voices', areas'), days, terms


class Channel(Base):
    """Where messages go. `address` (an Apprise URL, or a webhook's with its key) is encrypted: see
    `alerts.secrets`."""

    __tablename__ = "channels"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[datetime]


class Rule(Base):
    """Who wants to know what: `wanted` holds the conditions, `pace` is "at once", "hourly" or
    "daily"; see `storage.rules`. `token` opens the rule's feeds."""

    __tablename__ = "rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channels.id"))  # none: feeds only
    wanted: Mapped[dict[str, Any]] = mapped_column(JSON)
    pace: Mapped[str] = mapped_column(String(8))
    language: Mapped[str] = mapped_column(String(2))
    zone: Mapped[str] = mapped_column(String(64))
    quiet_from: Mapped[str | None] = mapped_column(String(5))  # HH:MM in `zone`
    quiet_to: Mapped[str | None] = mapped_column(String(5))
    active: Mapped[bool] = mapped_column(default=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime]


class Owed(Base):
    """News that is owed to a rule, written in the finding's own transaction: one for each stage of
    a story. `due` is when it may be sent; `delivery_id` the message that took it up."""

    __tablename__ = "owed"
    __table_args__ = (
        Index("owed_once", "rule_id", "story_id", "stage", unique=True),
        Index("owed_waiting", "delivery_id", "due"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey("rules.id"))
    finding_id: Mapped[int] = mapped_column(ForeignKey("findings.id"))
    story_id: Mapped[int]
    stage: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime]
    due: Mapped[datetime]
    delivery_id: Mapped[int | None]


class Delivery(Base):
    """One message owed or sent. `key` is the same in every attempt, so that a receiver can tell a
    repeat; `message` (its forms) is written once and never changes. Those of one channel are sent
    in the order of their ids."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("deliveries_waiting", "sent", "given_up", "next_try"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(36), unique=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id"))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("rules.id"))  # none: for operators
    kind: Mapped[str] = mapped_column(String(16))
    message: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    next_try: Mapped[datetime]
    sent: Mapped[datetime | None]
    given_up: Mapped[datetime | None]
    error: Mapped[str | None]


class OutletState(Base):
    """How an outlet does: `state` since `since`, and `why`, in one sentence. One that was `paused`
    is left alone until it is resumed."""

    __tablename__ = "outlet_states"

    outlet: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(8))
    since: Mapped[datetime]
    why: Mapped[str]
    paused: Mapped[datetime | None]


class Role(StrEnum):
    """What a person may do: each role all that those before it may."""

    VIEWER = "viewer"  # reads
    REVIEWER = "reviewer"  # reviews findings
    OPERATOR = "operator"  # outlets, crawls, backfills, alerts
    ADMINISTRATOR = "administrator"  # people

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Person(Base):
    """Who may sign in, by `name`. `password` is an argon2 hash, none until one is chosen by an
    invitation; `looked` is when they last had seen what was new."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[Role] = mapped_column(String(16))
    language: Mapped[str | None] = mapped_column(String(2))  # none: as the browser asks
    theme: Mapped[str] = mapped_column(String(5), default="auto")  # auto, light, dark
    created: Mapped[datetime]
    disabled: Mapped[datetime | None]
    looked: Mapped[datetime | None]


class SignIn(Base):
    """A browser that is signed in; `token` is the SHA-256 of what its cookie holds. `form` stands
    in its forms against requests forged by other sites, `notice` is what the next page says."""

    __tablename__ = "sign_ins"

    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    form: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
    seen: Mapped[datetime]
    agent: Mapped[str]
    notice: Mapped[str | None]


class ApiToken(Base):
    """A key to the API, with what it may be used for; `token` is its SHA-256."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[Any]]
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    used: Mapped[datetime | None]


class Invitation(Base):
    """A link by which somebody chooses a password, once; `token` is its SHA-256. Without `name`
    they choose that, too: the first administrator does."""

    __tablename__ = "invitations"

    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(64))
    role: Mapped[Role] = mapped_column(String(16))
    expires: Mapped[datetime]


class Audit(Base):
    """What somebody did, `what` in a word or two ("rule changed"), `about` whom or what. `who` is
    their name then; None: the system, or nobody who is known."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    who: Mapped[str | None] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(64))
    about: Mapped[str]


class Review(Base):
    """What the team says of a finding; a finding nobody has looked at has none. `kind` is the kind
    as corrected, which the finding then has, `judged` what it was judged to be. `version` is the id
    of the last change."""

    __tablename__ = "reviews"

    finding_id: Mapped[int] = mapped_column(ForeignKey("findings.id"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    relevant: Mapped[bool | None]
    kind: Mapped[str | None] = mapped_column(String(16))
    judged: Mapped[str] = mapped_column(String(16))
    assigned_to: Mapped[int | None]  # a person's id
    note: Mapped[str | None]
    changed: Mapped[datetime]
    version: Mapped[int]


class ReviewChange(Base):
    """One field of a review changed, by whom and when."""

    __tablename__ = "review_changes"
    __table_args__ = (Index("review_changes_finding", "finding_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    finding_id: Mapped[int] = mapped_column(ForeignKey("findings.id"))
    person_id: Mapped[int | None]
    at: Mapped[datetime]
    field: Mapped[str] = mapped_column(String(16))
    before: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    after: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
