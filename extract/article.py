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
class Clue:
    """A phrase that makes a sentence tell: `what` is "official" (who must stay neutral), "duty" (of
    neutrality), "act" (that takes sides), "candidate" (or party), "election" or "oversight" (those
    who watch over it); `text` is the characters `start` to `end` of the sentence's field."""

    what: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that proves the verdict: `text` is the characters `start` to `end` of the
    article's field `where` ("text" or "title"), `clues` are what in it tells, in order."""

    text: str
    start: int
    end: int
    where: str = "text"
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """An administrative area: Kemendagri `code` ("51.08"), `level` ("province", "regency" or
    "district"), `name` ("Kabupaten Buleleng") and the name of its `province` ("Bali")."""

    code: str
    level: str
    name: str
    province: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we think of an article. `score`, 0 to 1, says how surely it is about neutrality,
    `relevant` whether that is enough, `borderline` whether it is in doubt: such an article is kept
    and shown as what it is, relevant or not.

    `kind` is one of outreach, pledge, allegation, examination, sanction, statistics, regulation,
    opinion, other; None where the article is not kept. `subjects` are those who must stay neutral:
    civil_servant, military_police, village_official, election_organiser, acting_regional_head,
    other.
    """

    relevant: bool
    score: float
    borderline: bool = False
    kind: str | None = None
    subjects: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether the article is stored as a finding."""
        return self.relevant or self.borderline
