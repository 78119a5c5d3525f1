"""Boolean queries: what they find, and where they say a mistake is."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.query import QueryError, parse

TITLE = "Camat Diperiksa Bawaslu"
TEXT = "Ia diduga mengajak warga memilih petahana.\nPegawai negeri P3K/PPPK wajib NETRAL, jum'at."


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("camat", True),
        ("CAMAT", True),
        ("cama", False),  # whole words
        ("cama*", True),
        ("ajak*", False),  # no affixes
        ("camat lurah", False),
        ("camat OR lurah", True),
        ("camat petahana", True),  # in the title and in the text
        ('"pegawai negeri"', True),
        ("“pegawai negeri”", True),
        ('"negeri pegawai"', False),
        ('"bawaslu ia"', False),  # the title's end and the text's beginning are no phrase
        ('"petahana pegawai"', True),
        ("p3k/pppk", True),
        ("pppk/p3k", False),
        ("jum'at", True),
        ("NOT lurah", True),
        ("camat NOT petahana", False),
        ("camat -lurah +warga", True),
        ("lurah OR camat AND kades", False),  # AND binds before OR
        ("(lurah OR camat) AND warga", True),
        ("lurah kades OR camat", False),  # a space binds last: lurah AND (kades OR camat)
        ("camat NOT (lurah OR kades)", True),
        ("NOT NOT camat", True),
    ],
)
def test_what_is_found(query: str, found: bool) -> None:
    assert parse(query).matches(TITLE, TEXT) is found


@pytest.mark.parametrize(
    ("query", "position", "why"),
    [
        ("", 0, "nothing"),
        ("camat AND AND lurah", 10, "“AND” cannot stand here"),
        ("camat AND", 9, "ends too early"),
        ("(camat OR lurah", 15, "a ) is missing"),
        ("camat) lurah", 5, "“)” cannot stand here"),
        ('camat "pegawai at position 99', 6, "closing quotation mark"),
        ("camat and lurah", 6, "write AND in capitals"),
        ("camat title:lurah", 6, "fields"),
        ("camat lurah~2", 11, "~"),
        ('"camat lurah"~2.2.2', 13, "~"),
        ("camat^2", 5, "^"),
        ("camat [a TO b]", 6, "ranges"),
        ("camat >lurah", 6, "ranges"),
        ("camat /lurah/", 6, "quotation marks"),
        ("camat lu?ah", 8, "? cannot stand here"),
        ("*lurah", 0, "* cannot stand here"),
        ("camat *", 6, "neither a letter nor a digit"),
        ("camat && lurah", 6, "neither a letter nor a digit"),
        ("camat l*", 6, "2 letters"),
        ("(" * 200 + "camat" + ")" * 200, 50, "nested"),
        ("NOT " * 200 + "camat", 200, "nested"),
        ("camat " * 200, 1000, "1000 characters"),
    ],
)
def test_a_mistake_is_pointed_at(query: str, position: int, why: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert caught.value.position == position
    assert why in str(caught.value)
    assert f"character {position + 1}: " in str(caught.value)
    assert f"▸{query[position : position + 30]}" in str(caught.value)


SYNTAX = [*'"()+-~^*?\\/:<>[]', "AND", "OR", "NOT", "TO", "camat", "b", "'", "2.2.", "\0", "é"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(SYNTAX) | st.characters(), max_size=30), st.sampled_from(["", " "]))
def test_anything_is_read_or_refused(parts: list[str], between: str) -> None:
    with contextlib.suppress(QueryError):
        assert parse(between.join(parts)).matches(TITLE, TEXT) in (True, False)


_TERMS = st.recursive(
    st.sampled_from(["camat", "lurah", "kades", "warga"]),
    lambda inner: st.tuples(st.sampled_from(["AND", "OR", "NOT"]), inner, inner),
    max_leaves=12,
)


def _written(term: str | tuple[str, ...]) -> str:
    match term:
        case str():
            return term
        case ("NOT", part, _):
            return f"(NOT {_written(part)})"
        case operator, left, right:
            return f"({_written(left)} {operator} {_written(right)})"
    raise AssertionError(term)


def _true(term: str | tuple[str, ...], said: frozenset[str]) -> bool:
    match term:
        case str():
            return term in said
        case ("NOT", part, _):
            return not _true(part, said)
        case ("AND", left, right):
            return _true(left, said) and _true(right, said)
        case _, left, right:
            return _true(left, said) or _true(right, said)
    raise AssertionError(term)


@settings(max_examples=100, deadline=None)
@given(_TERMS, st.frozensets(st.sampled_from(["camat", "lurah", "kades", "warga"])))
def test_it_is_logic(term: str, said: frozenset[str]) -> None:
    assert parse(_written(term)).matches(" ".join(said)) == _true(term, said)
