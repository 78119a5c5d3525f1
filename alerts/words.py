"""The words of the messages, in Indonesian ("id") and English ("en")."""

from datetime import date, datetime, timedelta

# the order in which a digest tells of them: what weighs most first
KINDS = {
    "sanction": {"id": "Sanksi", "en": "Sanction"},
    "examination": {"id": "Pemeriksaan", "en": "Examination"},
    "allegation": {"id": "Dugaan pelanggaran", "en": "Allegation"},
    "regulation": {"id": "Aturan", "en": "Regulation"},
    "statistics": {"id": "Data", "en": "Statistics"},
    "opinion": {"id": "Opini", "en": "Opinion"},
    "pledge": {"id": "Ikrar", "en": "Pledge"},
    "outreach": {"id": "Sosialisasi", "en": "Outreach"},
    "other": {"id": "Lainnya", "en": "Other"},
}
STAGES = {"told": {"id": "Diberitakan", "en": "Reported"}, **KINDS}
SUBJECTS = {
    "civil_servant": {"id": "ASN", "en": "civil servants"},
    "military_police": {"id": "TNI/Polri", "en": "military and police"},
    "village_official": {"id": "perangkat desa", "en": "village officials"},
    "election_organiser": {"id": "penyelenggara pemilu", "en": "election organisers"},
    "acting_regional_head": {"id": "penjabat kepala daerah", "en": "acting regional heads"},
}
WORDS = {
    "id": {
        "alert": "Pantau",
        "by": "Pesan {} dari Pantau, aturan “{}”",
        "by_pantau": "Pesan {} dari Pantau",
        "changed": "Yang berubah",
        "chart": "30 hari terakhir",
        "chart_says": "{} dari {} sampai {}, paling banyak {} sehari",
        "digest": "Ringkasan {}: {}",
        "digest_changed": ", {} berkembang",
        "found": "ditemukan",
        "hourly": "{} kabar baru",
        "more": "… dan {} lagi",
        "nowhere": "Tanpa wilayah",
        "old": "Berita lama",
        "outlets": "{} media",
        "reports": "{} kabar",
        "summary": "{} kabar baru sekaligus",
        "test": "Percobaan dari Pantau",
        "test_says": "Kanal “{}” berfungsi: pesan ini sampai.",
    },
    "en": {
        "alert": "Pantau",
        "by": "Message {} from Pantau, rule “{}”",
        "by_pantau": "Message {} from Pantau",
        "changed": "What changed",
        "chart": "The last 30 days",
        "chart_says": "{} from {} to {}, at most {} a day",
        "digest": "Digest of {}: {}",
        "digest_changed": ", {} developed",
        "found": "found",
        "hourly": "{} new reports",
        "hourly_1": "{} new report",
        "more": "… and {} more",
        "nowhere": "No place",
        "old": "Old news",
        "outlets": "{} outlets",
        "outlets_1": "{} outlet",
        "reports": "{} reports",
        "reports_1": "{} report",
        "summary": "{} new reports at once",
        "test": "A test from Pantau",
        "test_says": "The channel “{}” works: this message arrived.",
    },
}
_MONTHS = {
    "id": "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember",
    "en": "January February March April May June July August September October November December",
}
_ZONES: dict[float, str] = {7: "WIB", 8: "WITA", 9: "WIT"}


def day(moment: date, language: str) -> str:
    """15 Mei 2024"""
    return f"{moment.day} {_MONTHS[language].split()[moment.month - 1]} {moment.year}"


def clock(moment: datetime, language: str) -> str:
    """15 Mei 2024, 19.24 WITA"""
    offset = moment.utcoffset() or timedelta()
    zone = _ZONES.get(offset / timedelta(hours=1), f"UTC{moment.isoformat()[-6:]}")
    time = f"{moment:%H.%M}" if language == "id" else f"{moment:%H:%M}"
    return f"{day(moment, language)}, {time} {zone}"


def count(number: int, what: str, language: str) -> str:
    """3 outlets, 1 outlet: `what` of WORDS, which has a form for one where the language does."""
    say = WORDS[language]
    form = say.get(f"{what}_1", say[what]) if number == 1 else say[what]
    return form.format(number)


def kind(name: str, language: str) -> str:
    """What a kind or a stage is called."""
    return STAGES[name][language] if name in STAGES else name


def subject(name: str, language: str) -> str:
    """What those who must stay neutral are called."""
    return SUBJECTS[name][language] if name in SUBJECTS else name
