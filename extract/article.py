"""What a page says, and what we think of it: the data every other room works with."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One fetched web page, as the bytes that came over the wire (already decompressed).

    `url` is the address it was fetched from, `charset` what the HTTP header said of its
    encoding (or None), `fetched` an aware datetime.
    """

    url: str
    html: bytes
    fetched: datetime
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class Article:
    """One article, read from a page and, where it was split, joined from its pages.

    `text` holds one paragraph a line, no boilerplate. `published` is aware and carries the
    offset the outlet itself uses (WIB, WITA or WIT); `published_from` says what it was read
    from: "json-ld", "meta", "time", "text", "source" (the feed or sitemap) or "url"; None
    together with `published`. `published_inferred` is true where the page gave it in part only
    ("Jumat (4/10)", "3 jam lalu") and the rest follows from the time of fetch. `dateline` is the
    town before the text ("SINGARAJA"), without the outlet's name. `tags` are the article's own
    keywords as printed, `image` is the address of its lead picture, `caption` what is printed
    under that. `paid` is true for advertorials. `pages` are the addresses of the further pages of
    a split article, still to be fetched; an address of the whole article stands alone.
    """

    url: str
    title: str
    text: str
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    published_from: str | None = None
    published_inferred: bool = False
    dateline: str | None = None
    section: str | None = None
    tags: tuple[str, ...] = ()
    image: str | None = None
    caption: str | None = None
    language: str | None = None
    paid: bool = False
    pages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that proves the verdict: `text` is the characters `start` to `end` of the
    article's field `where` ("text" or "title")."""

    text: str
    start: int
    end: int
    where: str = "text"


@dataclass(frozen=True, slots=True)
class Place:
    """An administrative area: Kemendagri `code` ("51.08"), `level` ("province" or "regency"),
    `name` ("Kabupaten Buleleng") and the name of its `province` ("Bali")."""

    code: str
    level: str
    name: str
    province: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we think of an article. `score` is 0 to 1; `relevant` says whether it is a finding.

    `kind` is one of outreach, pledge, allegation, examination, sanction, statistics,
    regulation, opinion, other; None when not relevant. `subjects` are those who must stay neutral:
    civil_servant, military_police, village_official, election_organiser, acting_regional_head,
    other.
    """

    relevant: bool
    score: float
    kind: str | None = None
    subjects: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    evidence: tuple[Evidence, ...] = ()
