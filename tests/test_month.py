"""A simulated month: 40 outlets, 60 findings a day, trouble with some of them; every message that
comes is read, and what must come follows from the plan, not from the tables."""

import hashlib
import hmac
import itertools
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from alerts.feeds import feed_for
from extract.article import Article, Page
from extract.judge import judge
from extract.link import Link
from extract.snapshot import Snapshot
from scheduler.watch import Watch
from storage import crawls, findings, links, stories
from storage.crawls import Counts
from storage.database import open_database, reading
from storage.links import Outcome
from storage.models import State
from tests import history
from tests.alerts.conftest import SIGNING_KEY, Desk, Got, Receiver, receiving, settings_in
from tests.press import Case, Cases

WIB = timezone(timedelta(hours=7))
MIDNIGHT = datetime(2026, 3, 2, tzinfo=WIB)  # of the first day
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TICK = 15 * MINUTE
DAYS, A_DAY = 30, 60
OUTLETS = [f"kabar{n:02}" for n in range(40)]

NEWCOMER, JOINS = "kabar00", 6
SILENT, BLOCKED, REDESIGNED = "kabar10", "kabar12", "kabar15"
TROUBLE = {SILENT: range(10, 20), BLOCKED: range(12, 25), REDESIGNED: range(15, 22)}
BACKFILL, BACKFILLED, OLD = 5, "kabar03", 12  # day, outlet, findings
LATE = 8  # the day whose crawl begins at 13:00
FLOOD = 17
REFUSING = 20  # the day on which the receiver of the digest answers 503, twice

STAGES = {"allegation": 1, "examination": 2, "sanction": 3}
WEIGHTS = ["sanction", "examination", "allegation", "pledge", "outreach"]
NAMES = ("told", "allegation", "examination", "sanction")


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of the month in Jakarta; its days are counted from 1."""
    return MIDNIGHT + (day - 1) * DAY + hour * HOUR + minute * MINUTE


# --- what happens ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """An outlet tells of a case: in one of two forms, in whole or without the end. `found` is when
    the crawl stores it; `old`: a backfill, or an outlet's first crawl, brings it."""

    found: datetime
    outlet: str
    case: Case
    kind: str
    form: int = 0
    cut: bool = False
    old: bool = False

    @property
    def title(self) -> str:
        return self.case.told(self.kind, self.form)[0]

    @property
    def text(self) -> str:
        text = self.case.told(self.kind, self.form)[1]
        text = f"{self.case.words['regency'].upper()}, {self.outlet.upper()} – {text}"
        return (
            f"{text.rpartition(chr(10))[0]}\nDebat calon digelar pekan depan." if self.cut else text
        )

    @property
    def stage(self) -> int:
        return STAGES.get(self.kind, 0)


class Plan:
    """What the outlets tell in the month, in the order in which it is found."""

    def __init__(self) -> None:
        self._chance = random.Random(2026)  # noqa: S311
        self._cases = Cases(2026)
        self._later: defaultdict[int, list[tuple[Case, str, int]]] = defaultdict(list)
        self.reports: list[Report] = []
        for day in range(1, DAYS + 1):
            told = [*self._told_on(day)]
            assert len(told) == A_DAY
            self.reports += sorted(told, key=lambda report: report.found)

    def _told_on(self, day: int) -> Iterator[Report]:
        left = A_DAY
        for report in itertools.chain(
            self._old(day), self._flood(day), self._developments(day), self._news(day)
        ):
            yield report
            left -= 1
            if not left:
                return

    def _old(self, day: int) -> Iterator[Report]:
        """What the backfill brings; on the next day others print two of it again."""
        if day == BACKFILL:
            for number in range(OLD):
                kind = ("sanction", "pledge", "outreach")[number % 3]
                case = self._cases.new("Jawa Timur")
                found = at(day, 12) + number * timedelta(seconds=1)
                yield Report(found, BACKFILLED, case, kind, old=True)
                if number < 2:
                    self._later[day + 1].append((case, kind, 1))

    def _flood(self, day: int) -> Iterator[Report]:
        """On one day there are sanctions everywhere, and the first outlets have them."""
        if day == FLOOD:
            for number in range(40):
                case = self._cases.new(("Jawa Timur", "Sulawesi Selatan")[number % 2])
                yield self._by(day, OUTLETS[number % 9], case, "sanction")

    def _developments(self, day: int) -> Iterator[Report]:
        for case, kind, carriers in self._later.pop(day, ()):
            form = self._chance.randrange(2) if carriers > 1 else 0
            yield from self._told(day, case, kind, carriers, form)
            if kind == "examination":
                self._later[day + self._chance.randrange(3, 7)].append((case, "sanction", 2))

    def _news(self, day: int) -> Iterator[Report]:
        while True:
            kind = self._chance.choice(("allegation", "outreach", "outreach", "pledge"))
            case, carriers = self._cases.new(), self._chance.choice((1, 1, 1, 2, 3, 5))
            yield from self._told(day, case, kind, carriers, 0)
            if kind == "allegation" and self._chance.random() < 0.6:
                self._later[day + 3].append((case, "examination", 2))
                if carriers > 2:  # one has heard of it late
                    self._later[day + 4].append((case, kind, 1))
            elif carriers > 2:
                self._later[day + 1].append((case, kind, 1))

    def _told(self, day: int, case: Case, kind: str, carriers: int, form: int) -> Iterator[Report]:
        """The release, copies of it, in whole or cut, and the other form."""
        working = [name for name in OUTLETS if day not in TROUBLE.get(name, ())]
        if day < JOINS:
            working.remove(NEWCOMER)
        outlets = self._chance.sample(working, carriers)
        if day == JOINS and carriers > 2 and NEWCOMER not in outlets:
            outlets[0] = NEWCOMER  # it has it first, and as old news
        for number, outlet in enumerate(outlets):
            own = form if number < 3 else 1 - form
            yield self._by(day, outlet, case, kind, form=own, cut=number == 2)

    def _by(self, day: int, outlet: str, case: Case, kind: str, **more: Any) -> Report:
        old = outlet == NEWCOMER and day == JOINS
        return Report(crawl_of(day, outlet), outlet, case, kind, old=old, **more)


def crawl_of(day: int, outlet: str) -> datetime:
    """When the outlet's crawl of the day begins: one a minute."""
    begin = at(day, 13 if day == LATE else 5)
    return begin + OUTLETS.index(outlet) * MINUTE + timedelta(seconds=30)


# --- who wants to know what -----------------------------------------------------------------------


def next_hour(found: datetime) -> datetime:
    return found.replace(minute=0, second=0) + HOUR


def next_digest(found: datetime) -> datetime:
    today = datetime.combine(found.date(), time(6, 30), WIB)
    return today if found <= today else today + DAY


def after_the_night(found: datetime) -> datetime:
    """22:00 to 07:00 in Makassar are 21:00 to 06:00 in Jakarta."""
    if found.hour >= 21:
        return datetime.combine(found.date() + DAY, time(6), WIB)
    return datetime.combine(found.date(), time(6), WIB) if found.hour < 6 else found


@dataclass(frozen=True)
class Reader:
    """A rule as the product is given it (`rule`), and as the plan understands it."""

    name: str
    channel: str | None
    rule: dict[str, Any]
    wants: Callable[[Report], bool]
    ready: Callable[[datetime], datetime] = lambda found: found

    @property
    def pace(self) -> str:
        return str(self.rule.get("pace", "at once"))


READERS = [
    Reader(
        "sanksi-jatim", "tim", {"wanted": {"kinds": ["sanction"], "places": ["Jatim"]}},
        lambda r: r.kind == "sanction" and r.case.place.province == "Jawa Timur",
    ),
    Reader(
        "desa", "tim",
        {"pace": "hourly", "wanted": {"words": '("kepala desa" OR lurah) NOT sosialisasi'}},
        lambda r: r.case.office in ("Kepala Desa", "Lurah") and r.kind in STAGES,
        next_hour,
    ),
    Reader("harian", "redaksi", {"pace": "daily", "language": "id"}, lambda _: True, next_digest),
    Reader(
        "malam", "makassar",
        {
            "zone": "Asia/Makassar", "quiet": "22:00-07:00", "language": "en",
            "wanted": {"kinds": [*STAGES], "places": ["Sulsel", "Sulawesi Tengah"]},
        },
        lambda r: r.kind in STAGES
        and r.case.place.province in ("Sulawesi Selatan", "Sulawesi Tengah"),
        after_the_night,
    ),
    Reader(
        "satu-media", "luar", {"wanted": {"outlets": ["kabar22"]}},
        lambda r: r.outlet == "kabar22",
    ),
    Reader("umpan", None, {"wanted": {"kinds": ["pledge"]}}, lambda r: r.kind == "pledge"),
]  # fmt: skip

OPERATORS = [  # when they are told of what
    (at(LATE, 11), {"daily crawl": "missing"}),
    (at(LATE, 13, 45), {"daily crawl": "well"}),
    (at(11, 5, 45), {SILENT: "quiet"}),
    (at(13, 5, 45), {BLOCKED: "blocked"}),
    (at(16, 5, 45), {REDESIGNED: "changed"}),
    (at(20, 5, 45), {SILENT: "well"}),
    (at(22, 5, 45), {REDESIGNED: "well"}),
    (at(26, 5, 45), {BLOCKED: "well"}),
]


# --- what must come -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """A report in a message: of which case, how far it has come, how far it had when the rule was
    told before, and how many outlets have told of it so far."""

    case: int
    outlet: str
    kind: str
    stage: str
    before: str | None
    outlets: int


@dataclass(frozen=True)
class Told:
    """A message: when it came, what it says."""

    moment: datetime
    channel: str
    rule: str
    kind: str
    title: str
    items: tuple[Item, ...]


@dataclass
class Owed:
    """A report that is news to a reader; `order` is its place among all."""

    order: int
    report: Report
    before: str | None


def news_for(reader: Reader, reports: Sequence[Report]) -> list[Owed]:
    """The first report of each case that the reader wants, and each that goes further; what was
    old news is news when it is told afresh, and then once only if it was not in a digest yet."""
    owed: list[Owed] = []
    known: defaultdict[int, list[Report]] = defaultdict(list)  # of each case, in order
    for order, report in enumerate(reports):
        if not reader.wants(report) or (report.old and reader.pace != "daily"):
            continue
        told = known[report.case.number]
        if report.stage <= max(
            (one.stage for one in told if report.old or not one.old), default=-1
        ):
            continue
        again = [one for one in told if one.old and one.stage == report.stage]
        known[report.case.number] = told = [one for one in told if one not in again]
        owed = [
            one
            for one in owed
            if one.report not in again or reader.ready(one.report.found) <= report.found
        ]
        before = told[-1].stage if told else -1
        owed.append(Owed(order, report, NAMES[before] if 0 <= before < report.stage else None))
        told.append(report)
    return owed


def expected(reports: Sequence[Report]) -> dict[str, list[Told]]:
    """Every message that must come, by channel, in order."""
    messages: list[tuple[tuple[datetime, int, int], Told]] = []
    for number, reader in enumerate(READERS):
        groups: defaultdict[datetime, list[Owed]] = defaultdict(list)
        for owed in news_for(reader, reports) if reader.channel else ():
            ready = reader.ready(owed.report.found)
            groups[MIDNIGHT + -(-(ready - MIDNIGHT) // TICK) * TICK].append(owed)
        for moment, group in groups.items():
            order = moment, group[0].order, number
            messages += [(order, told) for told in told_at(moment, reader, group, reports)]
    by_channel: defaultdict[str, list[Told]] = defaultdict(list)
    for _, told in sorted(messages, key=lambda pair: pair[0]):
        late = is_refused(told.channel, told.moment)
        by_channel[told.channel].append(replace(told, moment=at(REFUSING, 7)) if late else told)
    return by_channel


KINDS = {
    "id": {
        "sanction": "Sanksi", "examination": "Pemeriksaan", "allegation": "Dugaan pelanggaran",
        "outreach": "Sosialisasi", "pledge": "Ikrar",
    },
    "en": {"sanction": "Sanction", "examination": "Examination", "allegation": "Allegation"},
}  # fmt: skip


def told_at(
    moment: datetime, reader: Reader, group: Sequence[Owed], reports: Sequence[Report]
) -> Iterator[Told]:
    """The messages that a reader gets at a moment for what is ready: a digest, an hour's, one for
    each report, or, of more than ten, a summary."""
    assert reader.channel
    carrying: defaultdict[int, set[str]] = defaultdict(set)
    for report in reports:
        if report.found <= moment:
            carrying[report.case.number].add(report.outlet)

    def item(owed: Owed) -> Item:
        report, outlets = owed.report, len(carrying[owed.report.case.number])
        number = report.case.number
        stage = NAMES[report.stage]
        return Item(number, report.outlet, report.kind, stage, owed.before, outlets)

    def weight(owed: Owed) -> tuple[int, str]:
        return WEIGHTS.index(owed.report.kind), owed.report.case.place.province

    language = reader.rule.get("language", "id")
    first = Told(moment, reader.channel, reader.name, "alert", "", ())
    if reader.pace == "at once" and len(group) <= 10:
        for owed in group:
            title = f"{KINDS[language][owed.report.kind]}: {owed.report.title}"
            yield replace(first, title=title, items=(item(owed),))
    elif reader.pace == "daily":
        ordered = sorted(group, key=weight)
        fresh = [owed for owed in ordered if not owed.report.old]
        old = [owed for owed in ordered if owed.report.old]
        changed = [owed for owed in fresh if owed.before]
        new = [owed for owed in fresh if not owed.before]
        title = f"Ringkasan {moment.day} Maret {moment.year}: {len(fresh)} kabar"
        title += f", {len(changed)} berkembang" if changed else ""
        title += f" (+ {len(old)} berita lama)" if old else ""
        items = tuple(map(item, [*changed, *new, *old[:10]]))
        yield replace(first, kind="digest", title=title, items=items)
    else:
        says = "new reports at once" if language == "en" else "kabar baru sekaligus"
        kind = "hourly" if reader.pace == "hourly" else "summary"
        title = f"{len(group)} {'kabar baru' if kind == 'hourly' else says}"
        items = tuple(map(item, sorted(group, key=weight)))
        yield replace(first, kind=kind, title=title, items=items)


# --- the month ------------------------------------------------------------------------------------


@dataclass
class Month:
    """Lives through the plan: crawls through the real storage, the watch and the delivery at their
    times, and what the receivers were sent."""

    desk: Desk
    reports: Sequence[Report]
    receivers: dict[str, Receiver]
    ids: dict[int, Report] = field(default_factory=dict)
    posts: list[tuple[datetime, str, Got]] = field(default_factory=list)

    def live(self) -> None:
        watch = Watch(self.desk.engine, self.desk.settings, lambda: self.desk.now, lambda: OUTLETS)
        self._before()
        waiting = iter(sorted(self._crawls(), key=lambda crawl: crawl[0]))
        crawl = next(waiting)
        for tick in range(int(DAYS * DAY / TICK)):
            moment = MIDNIGHT + tick * TICK
            if moment.minute and moment.hour not in (5, 6, 13):
                continue  # nothing happens: once an hour will do
            while crawl and crawl[0] <= moment:
                self._crawl(*crawl)
                if crawl[2] == OUTLETS[-1]:  # the last of the day's
                    watch.ended(crawl_of(crawl[1], OUTLETS[0]), 0)
                crawl = next(waiting, None)
            self.desk.now = moment
            if moment.minute in (0, 30):
                watch.look()
            if moment == at(REFUSING, 6, 30):
                self.receivers["redaksi"].answers += [503, 503]
            self.desk.deliver()
            for name, receiver in self.receivers.items():
                self.posts += [(moment, name, got) for got in receiver.got]
                receiver.got.clear()

    def _before(self) -> None:
        """Four weeks in which the watch can learn what is usual."""
        with Session(self.desk.engine) as session, session.begin():
            for number in range(-27, 1):
                for outlet in OUTLETS[1:]:
                    day = history.Day(new=8, judged=3)
                    history.crawled(session, outlet, at(number, 5), day, run=f"before {number}")

    def _crawls(self) -> Iterator[tuple[datetime, int, str, bool]]:
        for day in range(1, DAYS + 1):
            for outlet in OUTLETS:
                if outlet != NEWCOMER or day >= JOINS:
                    yield crawl_of(day, outlet), day, outlet, False
        yield at(BACKFILL, 12), BACKFILL, BACKFILLED, True

    def _crawl(self, begin: datetime, day: int, outlet: str, backfill: bool) -> None:
        """What a crawl of the outlet writes, in its transactions."""
        end = self.desk.now = begin + timedelta(seconds=20)
        engine, backfill_id = self.desk.engine, 1 if backfill else None
        told = [
            report
            for report in self.reports
            if report.outlet == outlet and begin <= report.found <= end
        ]
        trouble = outlet if day in TROUBLE.get(outlet, ()) else None
        urls = [f"https://{outlet}.id/{day}/{backfill}/{n}" for n in range(8 + len(told))]
        if trouble in (SILENT, BLOCKED):
            urls = []
        with Session(engine) as session, session.begin():
            first = crawls.first_begun(session, outlet) is None
            id_ = crawls.begin(session, f"{day} {backfill}", outlet, begin, backfill_id)
            listed = [Link(url, url, None if trouble else begin - HOUR) for url in urls]
            links.record(
                session, outlet, listed, now=begin, known_before=None, oldest=None,
                backfill_id=backfill_id,
            )  # fmt: skip
        for url, report in zip(urls[8:], told, strict=True):
            self._keep(url, report, quiet=first or backfill)
        counts = Counts(
            links=20, new=len(urls), fetched=len(urls), gated=min(5, len(urls)), findings=len(told)
        )
        if trouble == BLOCKED:
            counts = Counts(errors=1, note=f"feed: blocked by Cloudflare: https://{outlet}.id/feed")
        passing = State.EMPTY if trouble == REDESIGNED else State.REJECTED
        others = [Outcome(url, State.GATED if n < 5 else passing) for n, url in enumerate(urls[:8])]
        with Session(engine) as session, session.begin():
            links.settle(session, others, end)
            crawls.finish(session, id_, counts, end)

    def _keep(self, url: str, report: Report, *, quiet: bool) -> None:
        assert quiet == report.old
        published = report.found - (20 * DAY if report.outlet == BACKFILLED and quiet else HOUR)
        article = Article(url, report.title, report.text, published=published)
        verdict = judge(article)
        assert (verdict.kind, verdict.borderline) == (report.kind, False)
        page = Page(url, f"<h1>{report.title}</h1>{report.text}".encode(), report.found)
        with Session(self.desk.engine) as session, session.begin():
            snapshots = [Snapshot.of(page)]
            id_, new = findings.keep(
                session, url, article, verdict, snapshots, report.found, quiet=quiet
            )
            links.settle(session, [Outcome(url, State.FOUND)], report.found)
        assert new
        self.ids[id_] = report

    def told(self) -> dict[str, list[Told]]:
        """The rules' messages that were taken, by channel, in order."""
        by_channel: defaultdict[str, list[Told]] = defaultdict(list)
        for moment, channel, got in self.posts:
            body = got.json()
            if channel != "operator" and not is_refused(channel, moment):
                items = tuple(map(self._item, body["items"]))
                by_channel[channel].append(
                    Told(moment, channel, body["rule"], body["kind"], body["title"], items)
                )
        return by_channel

    def _item(self, item: dict[str, Any]) -> Item:
        report = self.ids[item["finding"]]
        assert (item["title"], item["outlet"]) == (report.title, report.outlet)
        assert item["place"] == report.case.place.name
        assert item["sentence"] in report.text
        return Item(
            report.case.number, report.outlet, item["kind"], item["stage"], item["before"],
            item["outlets"],
        )  # fmt: skip


def is_refused(channel: str, moment: datetime) -> bool:
    """Whether what came then was answered with 503."""
    return channel == "redaksi" and moment in (at(REFUSING, 6, 30), at(REFUSING, 6, 45))


def is_from_pantau(got: Got) -> bool:
    """As docs/alerts.md tells receivers to check it."""
    headers = got.headers
    signed = f"{headers['Pantau-Time']}.{headers['Pantau-Id']}.".encode() + got.body
    key = SIGNING_KEY.replace(" ", "_").encode()
    return headers["Pantau-Signature"] == "v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'month.db'}")
    # nobody pulls the plug here; without it a month of commits is seconds
    event.listen(made, "connect", lambda con, _: con.execute("PRAGMA synchronous = OFF"))
    made.dispose()
    yield made
    made.dispose()


def test_every_message_of_a_month(engine: Engine, tmp_path: Path) -> None:
    settings = settings_in(tmp_path).model_copy(update={"operators": "operator", "timeout": 20})
    desk = Desk(engine, settings, MIDNIGHT)
    reports = Plan().reports
    channels = ["operator", *dict.fromkeys(r.channel for r in READERS if r.channel)]
    with ExitStack() as stack:
        receivers = {name: stack.enter_context(receiving()) for name in channels}
        for name, receiver in receivers.items():
            desk.channel(name, receiver.address)
        tokens = {r.name: desk.rule(r.name, r.channel, **r.rule) for r in READERS}
        month = Month(desk, reports, receivers)
        month.live()

    assert len(month.ids) == DAYS * A_DAY
    assert_stories(engine, month.ids)
    must, came = expected(reports), month.told()
    for channel in channels[1:]:
        for told, wanted in itertools.zip_longest(came[channel], must[channel]):
            assert told == wanted
    assert {told.kind for some in must.values() for told in some} == {
        "alert", "summary", "hourly", "digest"
    }  # fmt: skip
    assert [notice(post) for post in month.posts if post[1] == "operator"] == OPERATORS
    assert all(is_from_pantau(got) for _, _, got in month.posts)
    ids = Counter(got.headers["Pantau-Id"] for _, _, got in month.posts)
    late = [
        got for moment, name, got in month.posts if (moment, name) == (at(REFUSING, 7), "redaksi")
    ]
    assert {id_: n for id_, n in ids.items() if n > 1} == {late[0].headers["Pantau-Id"]: 3}
    assert not desk.unsent()
    assert_feed(engine, tokens["umpan"], month.ids)


def assert_stories(engine: Engine, ids: Mapping[int, Report]) -> None:
    """Each case is one story, and no story is of two."""
    cases: defaultdict[int, set[int]] = defaultdict(set)
    for id_, report in ids.items():
        cases[report.case.number].add(id_)
    with reading(engine) as session:
        for members in cases.values():
            finding = findings.get(session, min(members))
            assert finding
            assert finding.story
            story = stories.get_story(session, finding.story)
            assert story
            assert {one.id for one in story.findings} == members
            assert story.count == len(members)


def notice(post: tuple[datetime, str, Got]) -> tuple[datetime, dict[str, str]]:
    """Of what the operators were told, and when."""
    text = post[2].json()["text"]
    return post[0], dict(re.findall(r"^([\w -]+): (\w+) \(was \w+\)", text, re.MULTILINE))


def assert_feed(engine: Engine, token: str, ids: Mapping[int, Report]) -> None:
    """The feed of the rule without a channel has its latest news."""
    feed = feed_for(engine, token, "json")
    assert feed
    told = [ids[item["_pantau"]["finding"]] for item in json.loads(feed)["items"]]
    wanted = [owed.report for owed in news_for(READERS[-1], [*ids.values()])]
    assert told == wanted[:-101:-1]
