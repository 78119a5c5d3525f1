"""People: who may sign in and what they may do, their browsers and keys, and what they did."""

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from storage.models import ApiToken, Audit, Invitation, Person, Role, SignIn

NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")
LEAST, MOST = 12, 200  # characters of a password (NIST SP 800-63B: at least 8, better 15)
SIGNED_IN = timedelta(days=14)  # without being used
SEEN = timedelta(minutes=5)  # how exact `SignIn.seen` is
INVITED = timedelta(days=3)
SCOPES = {
    "read": Role.VIEWER,
    "review": Role.REVIEWER,
    "operate": Role.OPERATOR,
    "administer": Role.ADMINISTRATOR,
}
"""What an API token may be used for, and the role that it takes."""

_hasher = PasswordHasher()
_HASHING = BoundedSemaphore(2)  # at once: each takes 64 MiB
_NOBODY = _hasher.hash(secrets.token_hex())  # checked for unknown names: they take as long


class PeopleError(ValueError):
    """What cannot be done with an account. Its text is one sentence: `text` with `values`."""

    def __init__(self, text: str, **values: object) -> None:
        super().__init__(text % values)
        self.text = text
        self.values = values


@dataclass(frozen=True, slots=True)
class Account:
    """A person, as the dashboard knows them."""

    id: int
    name: str
    role: Role
    language: str | None
    theme: str
    looked: datetime | None
    disabled: datetime | None
    invited: bool  # and has not chosen a password yet


def people(session: Session) -> list[Account]:
    """Everybody, by name."""
    return [_account(row) for row in session.scalars(select(Person).order_by(Person.name))]


def person(session: Session, id_: int) -> Account | None:
    row = session.get(Person, id_)
    return _account(row) if row else None


def invite(session: Session, name: str | None, role: Role, now: datetime) -> str:
    """A token by which the person `name`, who is added with `role` where there is none, chooses a
    password within INVITED; without `name`, whoever has it chooses that, too. Raises
    PeopleError."""
    if name is not None:
        _admit(name)
        row = _named(session, name)
        if row is None:
            session.add(Person(name=name, role=role, created=now))
        session.execute(delete(Invitation).where(Invitation.name == name))
    token = secrets.token_urlsafe(32)
    session.execute(delete(Invitation).where(Invitation.expires <= now))
    session.add(Invitation(token=_hash(token), name=name, role=role, expires=now + INVITED))
    return token


def first_invitation(session: Session, now: datetime) -> str | None:
    """An administrator's invitation, where there is nobody yet; those given before end."""
    if session.scalar(select(func.count()).select_from(Person)):
        return None
    session.execute(delete(Invitation))
    return invite(session, None, Role.ADMINISTRATOR, now)


def invitation(session: Session, token: str, now: datetime) -> Invitation | None:
    """The invitation of `token`, where it has not been used and has not ended."""
    row = session.get(Invitation, _hash(token))
    return row if row and row.expires > now else None


def accept(session: Session, token: str, name: str, password: str, now: datetime) -> Account:
    """Use an invitation up; gives the person, who has that password now and is signed out
    everywhere. `name` counts where the invitation has none. Raises PeopleError."""
    used = delete(Invitation).where(Invitation.token == _hash(token), Invitation.expires > now)
    # whoever deletes it first has it: of two at once the other finds nothing
    invited = session.execute(used.returning(Invitation.name, Invitation.role)).one_or_none()
    if invited is None:
        raise PeopleError("This invitation has been used or has ended; ask for another.")
    _check(password, invited.name or name)
    if invited.name is None:
        _admit(name)
        if _named(session, name):
            raise PeopleError("There is a %(name)s already.", name=name)
        row = Person(name=name, role=invited.role, created=now)
        session.add(row)
    else:
        found = _named(session, invited.name)
        if found is None:
            raise PeopleError("This invitation has been used or has ended; ask for another.")
        row = found
    row.password = _hashed(password)
    session.flush()
    sign_out_everywhere(session, row.id)
    return _account(row)


def add(session: Session, name: str, role: Role, password: str, now: datetime) -> Account:
    """A new person with a password. Raises PeopleError."""
    return accept(session, invite(session, name, role, now), name, password, now)


def is_there(session: Session, name: str) -> bool:
    """Whether there is a person of that name."""
    return _named(session, name) is not None


def check_password(session: Session, name: str, password: str) -> Account | None:
    """The person with that name and password, unless disabled."""
    row = _named(session, name)
    stored = row.password if row and row.password and not row.disabled else None
    try:
        with _HASHING:
            _hasher.verify(stored or _NOBODY, password[: MOST + 1])
    except (VerificationError, InvalidHashError):
        return None
    if row is None or stored is None:
        return None
    if _hasher.check_needs_rehash(stored):
        row.password = _hashed(password)
    return _account(row)


def change_password(session: Session, id_: int, old: str, new: str) -> None:
    """Raises PeopleError. They are signed out everywhere."""
    row = session.get_one(Person, id_)
    if check_password(session, row.name, old) is None:
        raise PeopleError("That is not your password.")
    _check(new, row.name)
    row.password = _hashed(new)
    sign_out_everywhere(session, id_)


def change_role(session: Session, id_: int, role: Role) -> None:
    """Raises PeopleError where nobody would be left to administer."""
    row = session.get_one(Person, id_)
    _keep_one(session, row, stays=role == Role.ADMINISTRATOR)
    row.role = role


def disable(session: Session, id_: int, now: datetime) -> None:
    """They may no longer sign in, their keys open nothing. Raises PeopleError where nobody would
    be left to administer."""
    row = session.get_one(Person, id_)
    _keep_one(session, row, stays=False)
    row.disabled = row.disabled or now
    sign_out_everywhere(session, id_)


def enable(session: Session, id_: int) -> None:
    session.get_one(Person, id_).disabled = None


def prefer(session: Session, id_: int, language: str | None, theme: str) -> None:
    """Remember how a person wants to see the pages."""
    row = session.get_one(Person, id_)
    row.language, row.theme = language, theme


def look(session: Session, id_: int, now: datetime) -> None:
    """Note that a person has seen what was new until `now`."""
    session.get_one(Person, id_).looked = now


# --- browsers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signed:
    """A browser that is signed in, and whose it is; see `models.SignIn`."""

    account: Account
    token: str
    form: str
    notice: str | None
    seen: datetime


def sign_in(session: Session, id_: int, agent: str, now: datetime) -> str:
    """Sign a person in; gives what the cookie is to hold."""
    session.execute(delete(SignIn).where(SignIn.seen <= now - SIGNED_IN))
    token = secrets.token_urlsafe(32)
    form = secrets.token_urlsafe(32)
    session.add(
        SignIn(
            token=_hash(token), person_id=id_, form=form, created=now, seen=now, agent=agent[:200]
        )
    )
    return token


def signed_in(session: Session, cookie: str, now: datetime) -> Signed | None:
    """Who the browser with that cookie is signed in as. `session` need not write."""
    found = session.execute(
        select(SignIn, Person)
        .join(Person, Person.id == SignIn.person_id)
        .where(SignIn.token == _hash(cookie), SignIn.seen > now - SIGNED_IN)
        .where(Person.disabled.is_(None))
    ).one_or_none()
    if found is None:
        return None
    row, whose = found
    return Signed(_account(whose), row.token, row.form, row.notice, row.seen)


def seen(session: Session, token: str, now: datetime) -> None:
    """Note that a browser is in use; every SEEN is often enough."""
    session.execute(update(SignIn).where(SignIn.token == token).values(seen=now))


def notice(session: Session, token: str, text: str | None) -> None:
    """What the next page shall say to that browser."""
    session.execute(update(SignIn).where(SignIn.token == token).values(notice=text))


def browsers(session: Session, id_: int) -> Sequence[SignIn]:
    """Where a person is signed in, the latest seen first."""
    query = select(SignIn).where(SignIn.person_id == id_).order_by(SignIn.seen.desc())
    return session.scalars(query).all()


def sign_out(session: Session, token: str) -> None:
    session.execute(delete(SignIn).where(SignIn.token == token))


def sign_out_everywhere(session: Session, id_: int) -> None:
    session.execute(delete(SignIn).where(SignIn.person_id == id_))


# --- keys to the API ------------------------------------------------------------------------------


def make_token(
    session: Session,
    id_: int,
    name: str,
    scopes: Collection[str],
    now: datetime,
    expires: datetime | None = None,
) -> str:
    """A key for the API, told this once. Raises PeopleError for scopes that are unknown or more
    than the person's role."""
    row = session.get_one(Person, id_)
    if not name.strip() or len(name) > 64:
        raise PeopleError("A token wants a name of at most 64 characters.")
    if not scopes:
        raise PeopleError("Choose what the token may be used for.")
    for scope in scopes:
        if scope not in SCOPES:
            raise PeopleError("There is no scope “%(scope)s”.", scope=scope)
        if SCOPES[scope].rank > Role(row.role).rank:
            raise PeopleError("The scope “%(scope)s” is more than you may do.", scope=scope)
    token = f"pantau_{secrets.token_urlsafe(32)}"
    session.add(
        ApiToken(
            token=_hash(token),
            person_id=id_,
            name=name.strip(),
            scopes=[scope for scope in SCOPES if scope in scopes],
            created=now,
            expires=expires,
        )
    )
    return token


def tokens(session: Session, id_: int) -> Sequence[ApiToken]:
    """A person's keys, the newest first."""
    query = select(ApiToken).where(ApiToken.person_id == id_).order_by(ApiToken.id.desc())
    return session.scalars(query).all()


@dataclass(frozen=True, slots=True)
class Key:
    """A key to the API, and whose it is; see `models.ApiToken`."""

    id: int
    account: Account
    scopes: frozenset[str]
    used: datetime | None


def by_token(session: Session, token: str, now: datetime) -> Key | None:
    """The key `token`, unless it has ended or is of somebody disabled."""
    found = session.execute(
        select(ApiToken, Person)
        .join(Person, Person.id == ApiToken.person_id)
        .where(ApiToken.token == _hash(token), Person.disabled.is_(None))
    ).one_or_none()
    if found is None or (found[0].expires and found[0].expires <= now):
        return None
    key, whose = found
    return Key(key.id, _account(whose), frozenset(key.scopes), key.used)


def token_used(session: Session, token_id: int, now: datetime) -> None:
    """Note that a key is in use; every SEEN is often enough."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(used=now))


def drop_token(session: Session, id_: int, token_id: int) -> bool:
    """Make a person's key open nothing; whether it was there."""
    mine = ApiToken.person_id == id_, ApiToken.id == token_id
    return bool(session.scalars(delete(ApiToken).where(*mine).returning(ApiToken.id)).all())


# --- the audit trail ------------------------------------------------------------------------------


def record(session: Session, who: str | None, what: str, about: str, now: datetime) -> None:
    """Note what somebody did, in the transaction that does it."""
    session.add(Audit(at=now, who=who, what=what, about=about[:1000]))


def audit(
    session: Session, before: int | None = None, limit: int = 100, who: str | None = None
) -> Sequence[Audit]:
    """What was done, the latest first, from below the id `before` on."""
    query = select(Audit).order_by(Audit.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Audit.id < before)
    if who:
        query = query.where(Audit.who == who)
    return session.scalars(query).all()


def _account(row: Person) -> Account:
    return Account(
        row.id,
        row.name,
        Role(row.role),
        row.language,
        row.theme,
        row.looked,
        row.disabled,
        invited=row.password is None,
    )


def _named(session: Session, name: str) -> Person | None:
    return session.scalar(select(Person).where(Person.name == name.strip().lower()))


def _admit(name: str) -> None:
    if not NAME.fullmatch(name):
        raise PeopleError(
            "“%(name)s” cannot be a name: write 2 to 32 small letters, digits, dots, dashes or "
            "underscores, a letter first.",
            name=name[:40],
        )


def _check(password: str, name: str) -> None:
    if not LEAST <= len(password) <= MOST:
        raise PeopleError(
            "A password has at least %(least)s characters, and %(most)s at the most.",
            least=LEAST,
            most=MOST,
        )
    if len(set(password)) < 5 or name.lower() in password.lower():
        raise PeopleError("This password is too easy to guess; choose another.")


def _keep_one(session: Session, row: Person, *, stays: bool) -> None:
    others = select(func.count()).where(
        Person.role == Role.ADMINISTRATOR,
        Person.disabled.is_(None),
        Person.password.is_not(None),
        Person.id != row.id,
    )
    if row.role == Role.ADMINISTRATOR and not stays and not session.scalar(others):
        raise PeopleError("There must be an administrator; make somebody else one first.")


def _hashed(password: str) -> str:
    with _HASHING:
        return _hasher.hash(password)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
