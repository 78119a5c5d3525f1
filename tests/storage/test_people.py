"""Accounts: passwords, invitations, browsers, keys."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from storage import people
from storage.models import Person, Role
from storage.people import PeopleError
from tests.storage.conftest import Writing

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
PASSWORD = "kuda terbang di atas awan"  # noqa: S105


@pytest.fixture
def session(writing: Writing) -> Iterator[Session]:
    with writing() as session:
        yield session


@pytest.fixture
def admin(session: Session) -> people.Account:
    token = people.first_invitation(session, NOW)
    assert token
    return people.accept(session, token, "sari", PASSWORD, NOW)


def test_the_first_administrator_comes_by_a_link_that_works_once(session: Session) -> None:
    earlier = people.first_invitation(session, NOW)
    token = people.first_invitation(session, NOW)
    assert earlier
    assert token
    assert people.invitation(session, earlier, NOW) is None  # a new start, a new link
    assert people.invitation(session, token, NOW + timedelta(days=4)) is None
    account = people.accept(session, token, "sari", PASSWORD, NOW)
    assert account.role == Role.ADMINISTRATOR
    assert people.first_invitation(session, NOW) is None
    with pytest.raises(PeopleError, match="has been used"):
        people.accept(session, token, "budi", PASSWORD, NOW)


def test_of_two_at_once_one_has_the_invitation(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing() as session:
        token = people.first_invitation(session, NOW)
    assert token
    check = people._check

    def slowly(password: str, name: str) -> None:
        time.sleep(0.3)
        check(password, name)

    monkeypatch.setattr(people, "_check", slowly)

    def accept(name: str) -> bool:
        try:
            with writing() as session:
                people.accept(session, token, name, PASSWORD, NOW)
        except PeopleError:
            return False
        return True

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(accept, ["sari", "budi"])) == [False, True]
    with writing() as session:
        assert len(people.people(session)) == 1


def test_a_password_is_kept_as_argon2_and_checked(session: Session, admin: people.Account) -> None:
    stored = session.get_one(Person, admin.id).password
    assert stored
    assert stored.startswith("$argon2id$")
    assert people.check_password(session, " Sari", PASSWORD) == admin
    assert people.check_password(session, "sari", PASSWORD + "!") is None
    assert people.check_password(session, "nobody", PASSWORD) is None
    for poor in ("short", "aaaaaaaaaaaaaaaa", "sari-sari-sari", "x" * 201):
        with pytest.raises(PeopleError):
            people.change_password(session, admin.id, PASSWORD, poor)
    with pytest.raises(PeopleError, match="not your password"):
        people.change_password(session, admin.id, "wrong", PASSWORD[::-1])
    people.change_password(session, admin.id, PASSWORD, PASSWORD[::-1])
    assert people.check_password(session, "sari", PASSWORD) is None


def test_one_who_is_invited_has_no_password_until_they_choose_one(
    session: Session, admin: people.Account
) -> None:
    token = people.invite(session, "budi", Role.VIEWER, NOW)
    assert [(a.name, a.invited) for a in people.people(session)] == [
        ("budi", True),
        ("sari", False),
    ]
    assert people.check_password(session, "budi", "") is None
    account = people.accept(session, token, "ignored", PASSWORD, NOW)
    assert (account.name, account.role) == ("budi", Role.VIEWER)


def test_signed_in_until_signed_out(session: Session, admin: people.Account) -> None:
    cookies = [people.sign_in(session, admin.id, "browser", NOW) for _ in range(3)]
    signed = [people.signed_in(session, cookie, NOW) for cookie in cookies]
    assert signed[0]
    assert signed[0].account == admin
    assert signed[0].token != cookies[0]  # who reads the database cannot sign in with it
    later = NOW + timedelta(days=13)
    people.seen(session, signed[0].token, later)
    assert people.signed_in(session, cookies[0], later + timedelta(days=13))
    assert people.signed_in(session, cookies[1], later + timedelta(days=13)) is None
    people.sign_out(session, signed[1].token if signed[1] else "")
    assert people.signed_in(session, cookies[1], NOW) is None
    people.sign_out_everywhere(session, admin.id)
    assert people.signed_in(session, cookies[0], NOW) is None


def test_who_is_disabled_is_out_at_once(session: Session, admin: people.Account) -> None:
    budi = people.add(session, "budi", Role.OPERATOR, PASSWORD, NOW)
    cookie = people.sign_in(session, budi.id, "browser", NOW)
    key = people.make_token(session, budi.id, "script", ["read"], NOW)
    people.disable(session, budi.id, NOW)
    assert people.signed_in(session, cookie, NOW) is None
    assert people.by_token(session, key, NOW) is None
    assert people.check_password(session, "budi", PASSWORD) is None
    for undo in (
        lambda: people.disable(session, admin.id, NOW),
        lambda: people.change_role(session, admin.id, Role.VIEWER),
    ):
        with pytest.raises(PeopleError, match="must be an administrator"):
            undo()


def test_a_key_opens_what_it_is_for(session: Session, admin: people.Account) -> None:
    budi = people.add(session, "budi", Role.REVIEWER, PASSWORD, NOW)
    with pytest.raises(PeopleError, match="more than you may do"):
        people.make_token(session, budi.id, "script", ["operate"], NOW)
    soon = NOW + timedelta(hours=1)
    key = people.make_token(session, budi.id, "script", ["review", "read"], NOW, soon)
    found = people.by_token(session, key, NOW)
    assert found
    assert (found.account, found.scopes) == (budi, frozenset({"read", "review"}))
    assert people.by_token(session, key, soon) is None
    assert not people.drop_token(session, admin.id, found.id)  # another's
    assert people.drop_token(session, budi.id, found.id)
    assert people.by_token(session, key, NOW) is None


def test_what_was_done_is_told_the_latest_first(session: Session) -> None:
    for number in range(5):
        people.record(session, "sari", "rule changed", f"rule {number}", NOW)
    session.flush()
    first = people.audit(session, limit=3)
    assert [entry.about for entry in first] == ["rule 4", "rule 3", "rule 2"]
    assert [e.about for e in people.audit(session, before=first[-1].id)] == ["rule 1", "rule 0"]
    assert not people.audit(session, who="budi")


def test_two_passwords_are_hashed_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    going: list[int] = []
    most = 0

    class Slow:
        def hash(self, password: str) -> str:
            nonlocal most
            going.append(1)
            most = max(most, len(going))
            time.sleep(0.05)
            going.pop()
            return password

    monkeypatch.setattr(people, "_hasher", Slow())
    with ThreadPoolExecutor(8) as pool:
        assert len([*pool.map(people._hashed, "abcdefgh")]) == 8
    assert most == 2
