"""The pages in Indonesian and English.

The templates and the code hold the English; `locale/id/*.po`, one for each part of the pages,
the Indonesian (gettext's format, read by Babel when the dashboard starts).
"""

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"id": "Bahasa Indonesia", "en": "English"}
ZONES = {"Asia/Jakarta": "WIB", "Asia/Makassar": "WITA", "Asia/Jayapura": "WIT"}
LOCALE = Path(__file__).parent / "locale"


@cache
def translations(language: str) -> NullTranslations:
    """What turns the English into `language`."""
    merged = NullTranslations()
    for path in sorted((LOCALE / language).glob("*.po")):
        compiled = BytesIO()
        with path.open("rb") as file:
            write_mo(compiled, read_po(file, locale=language, abort_invalid=True))
        compiled.seek(0)
        part = GNUTranslations(compiled)
        part.add_fallback(merged)
        merged = part
    return merged


def preferred(accepted: str) -> str:
    """The language that a browser asks for (Accept-Language) among ours; Indonesian where it asks
    for neither."""
    for part in accepted.lower().split(","):
        code = part.partition(";")[0].strip()[:2]
        if code in ("ms", "jv", "su"):
            return "id"
        if code in LANGUAGES:
            return code
    return "id"
