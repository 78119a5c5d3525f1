"""Every word on the pages is there in Indonesian."""

import re
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from dashboard import words
from storage.models import Role
from storage.people import SCOPES

FOLDER = Path(words.__file__).parent
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "n_": (1, 2),
    "PeopleError": None,
    "record": (2,),
    "HTTPException": (2,),
}


def extracted() -> set[str]:
    """What the templates and the code say in English."""
    found = extract_from_dir(
        FOLDER,
        method_map=[("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")],
        keywords=KEYWORDS,
    )
    people = extract_from_dir(
        FOLDER.parent / "storage", method_map=[("people.py", "python")], keywords=KEYWORDS
    )
    messages = (message for *_, message, _, _ in [*found, *people])
    return {message if isinstance(message, str) else message[0] for message in messages}


def test_all_of_it_is_translated_and_nothing_else() -> None:
    translated: dict[str, object] = {}
    for path in (words.LOCALE / "id").glob("*.po"):
        for message in read_po(path.open("rb"), locale="id"):
            if message.id:
                one = message.id if isinstance(message.id, str) else message.id[0]
                translated[one] = message.string
    wanted = extracted() | set(map(str, Role)) | set(SCOPES)
    missing = sorted(text for text in wanted if not translated.get(text))
    assert not missing, "add these to dashboard/locale/id:\n" + "\n".join(missing)
    for text, string in translated.items():
        assert all(string) if isinstance(string, tuple) else string, text


def test_values_stay_in_their_places() -> None:
    for path in (words.LOCALE / "id").glob("*.po"):
        for message in read_po(path.open("rb"), locale="id"):
            for error in message.check():
                raise AssertionError(f"{path.name}: {message.id}: {error}")


def test_numbers_of_things_have_their_indonesian_form() -> None:
    translations = words.translations("id")
    for path in (words.LOCALE / "id").glob("*.po"):
        for message in read_po(path.open("rb"), locale="id"):
            if isinstance(message.id, tuple):
                for number in (0, 1, 2, 30):
                    found = translations.ngettext(*message.id, number)
                    assert found not in message.id, (path.name, found)


def test_what_is_not_written_in_a_template_is_not_taken_for_html() -> None:
    """`_()` gives HTML: of what is not ours it would be a hole."""
    for path in (FOLDER / "templates").glob("*.html"):
        for call in re.findall(r"(?<![\w.])(?:_|gettext|ngettext)\((.)", path.read_text("utf-8")):
            assert call in "\"'", path.name
