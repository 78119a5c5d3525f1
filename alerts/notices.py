"""What operators are told: what has changed with the outlets and the daily crawl, and what could
not be delivered; in Indonesian or English.

Why an outlet is in its state was noted in English (`storage.states`, `storage.runs`). Those
sentences are few, and known here.
"""

import re
from collections.abc import Sequence

from storage.states import DAILY, Change, Health

MOST_LINES = 30  # in one message

_WORDS = {
    "en": {
        "unwell": "{} outlets need a look",
        "unwell_1": "{} outlet needs a look",
        "again": "{} outlets are well again",
        "again_1": "{} outlet is well again",
        "line": "{}: {} (was {}). {}",
        "more": "… and {} more: `pantau doctor` shows all.",
        "given up": "Given up: {}",
        "not taken": "The channel “{}” did not take it in a day: {}.",
        "mended": "When it is mended: pantau alerts again {}",
        "daily well": "the daily crawl is well again",
        "daily missing": "the daily crawl did not run",
        "daily late": "the daily crawl ran too long",
        "daily nothing": "the daily crawl found nothing",
    },
    "id": {
        "unwell": "{} media perlu dilihat",
        "again": "{} media pulih",
        "line": "{}: {} (sebelumnya {}). {}",
        "more": "… dan {} lagi: `pantau doctor` menampilkan semuanya.",
        "given up": "Tidak terkirim: {}",
        "not taken": "Kanal “{}” tidak menerimanya selama sehari: {}.",
        "mended": "Setelah diperbaiki: pantau alerts again {}",
        "daily well": "perayapan harian pulih",
        "daily missing": "perayapan harian tidak berjalan",
        "daily late": "perayapan harian terlalu lama",
        "daily nothing": "perayapan harian tidak menemukan apa-apa",
    },
}
_NAMES = {  # in Indonesian
    DAILY: "perayapan harian",
    "well": "baik",
    "quiet": "sepi",
    "failing": "gagal",
    "blocked": "diblokir",
    "changed": "berubah",
    "missing": "tidak berjalan",
    "late": "terlambat",
    "nothing": "nihil",
}
_CLAUSES = (
    (r"^No new articles on ", "Tidak ada artikel baru pada "),
    (r"^No new articles\b", "Tidak ada artikel baru"),
    (r"^(\d+) new articles? on ", r"\1 artikel baru pada "),
    (r"^(\d+) new articles?\b", r"\1 artikel baru"),
    (
        r" since (\S+), where its habit lets expect (\d+); in four weeks it was never silent for ",
        r" sejak \1, padahal biasanya \2; dalam empat pekan tidak pernah sepi selama ",
    ),
    (r"more than (\d+) days?\.$", r"lebih dari \1 hari."),
    (r"\ba day\.$", "sehari."),
    (r"^It does not let us read it ", "Tidak mengizinkan kita membacanya "),
    (r"^It cannot be read ", "Tidak dapat dibaca "),
    (r"; it was last read on (\S+)\.$", r"; terakhir terbaca pada \1."),
    (r"; it was not read in six weeks\.$", "; tidak terbaca selama enam pekan."),
    (r"^None of ", "Tidak satu pun dari "),
    (r"^(\d+) of ", r"\1 dari "),
    (r"the last (\d+) pages had an article; ", r"\1 halaman terakhir memuat artikel; "),
    (r"the last (\d+) articles had a date; ", r"\1 artikel terakhir bertanggal; "),
    (
        r"(\d+) pages since (\S+) has a word of the topic; ",
        r"\1 halaman sejak \2 memuat kata tentang topiknya; ",
    ),
    (r"before, (\S+) (?:did|had)\b", r"sebelumnya \1"),
    (r"their text may be loaded by scripts now", "teksnya mungkin kini dimuat oleh skrip"),
    (
        r"^The daily crawl that began (\d\S+ \S+ UTC) ",
        r"Perayapan harian yang dimulai \1 ",
    ),
    (r"^No daily crawl was completed since ", "Tidak ada perayapan harian yang selesai sejak "),
    (r"; the last one began ", "; yang terakhir dimulai "),
    (r"; there has been none\.$", "; belum pernah ada."),
    (r"has not come to its end: ", "belum selesai: "),
    (r"is under way: ", "sedang berjalan: "),
    (r"(\d+) of (\d+) outlets are done", r"\1 dari \2 media selesai"),
    (r"found nothing: ", "tidak menemukan apa-apa: "),
    (
        r"(\d+) of (\d+) outlets gave nothing but errors",
        r"\1 dari \2 media hanya memberi kesalahan",
    ),
    (r"(\d+) outlets gave no new link at all", r"\1 media tidak memberi tautan baru sama sekali"),
    (r" ended (\d\S+ \S+ UTC): ", r" selesai \1: "),
    (r"it took (\S+) h\.$", r"lamanya \1 jam."),
    (
        r"(\d+) outlets, (\d+) new links, (\d+) findings, (\d+) errors",
        r"\1 media, \2 tautan baru, \3 temuan, \4 kesalahan",
    ),
)


def title(changes: Sequence[Change], language: str) -> str:
    """What has changed, in a line."""
    say = _WORDS[language]
    outlets = [change for change in changes if change.outlet != DAILY]
    well = sum(change.state == Health.WELL for change in outlets)
    counts = {"unwell": len(outlets) - well, "again": well}
    parts = [say[f"daily {change.state}"] for change in changes if change.outlet == DAILY]
    parts += [
        say.get(f"{what}_{count}", say[what]).format(count)
        for what, count in counts.items()
        if count
    ]
    return f"Pantau: {', '.join(parts)}"


def lines(changes: Sequence[Change], language: str) -> list[str]:
    """A line for each change, the most important first, and not too many."""
    say = _WORDS[language]
    ordered = sorted(changes, key=lambda c: (c.outlet != DAILY, c.state == Health.WELL))
    told = [
        say["line"].format(
            *(_name(name, language) for name in (change.outlet, change.state, change.before)),
            reason(change.why, language),
        )
        for change in ordered[:MOST_LINES]
    ]
    more = len(ordered) - len(told)
    return [*told, say["more"].format(more)] if more else told


def given_up(
    told: str, channel: str, why: str, delivery: int, language: str
) -> tuple[str, list[str]]:
    """Title and lines about the message `told`, which its channel did not take."""
    say = _WORDS[language]
    lines = [say["not taken"].format(channel, why), say["mended"].format(delivery)]
    return say["given up"].format(told), lines


def reason(why: str, language: str) -> str:
    """Why an outlet or the daily crawl is in its state, in `language`; given as it was noted. What
    servers and parsers said stays as it is."""
    if language == "id":
        for english, indonesian in _CLAUSES:
            why = re.sub(english, indonesian, why)
    return why


def _name(name: str, language: str) -> str:
    return _NAMES.get(name, name) if language == "id" else name
