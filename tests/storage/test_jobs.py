"""What is asked for in the browser: each job is done by one process at a time, and comes to an
end."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from extract.link import Link
from storage import backfills, jobs, links
from storage.jobs import JobState, Kind
from storage.models import State
from tests.storage.conftest import Writing, at_once

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
ALL = tuple(Kind)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def ask(writing: Writing, outlet: str = "laksara", kind: Kind = Kind.CRAWL) -> int:
    with writing() as session:
        return jobs.ask(session, kind, {"outlets": [outlet]}, outlet, "sari", NOW)


def state(writing: Writing, id_: int) -> tuple[str, str | None]:
    with writing() as session:
        job = jobs.get(session, id_)
        assert job
        return job.state, job.error


def test_a_job_is_asked_for_once_and_done_once(writing: Writing) -> None:
    id_ = ask(writing)
    assert ask(writing) == id_, "the same, while it waits"
    assert ask(writing, kind=Kind.CHECK) != id_
    with writing() as session:
        assert not jobs.take(session, [Kind.BACKFILL], 60, NOW)
        taken = jobs.take(session, [Kind.CRAWL], 60, NOW)
        assert taken
        job, owner = taken
        assert (job.id, job.who, job.arguments) == (id_, "sari", {"outlets": ["laksara"]})
    with writing() as session:
        assert not jobs.take(session, [Kind.CRAWL], 60, after(59)), "it is being done"
        assert jobs.keep(session, id_, owner, 60, after(50))
    with writing() as session:
        assert not jobs.take(session, [Kind.CRAWL], 60, after(100)), "its lease was renewed"
        hostile = [{"title": "a\0b\ud800"}]
        jobs.finish(session, id_, owner, JobState.DONE, after(101), result=hostile)
    assert state(writing, id_) == ("done", None)
    assert ask(writing) != id_, "it has ended, so this is another"


def test_a_job_whose_process_died_is_taken_up_again_but_not_for_ever(writing: Writing) -> None:
    id_ = ask(writing)
    owners = []
    for time in range(jobs.TRIES):
        with writing() as session:
            taken = jobs.take(session, ALL, 60, after(time * 61))
            assert taken
            owners.append(taken[1])
    with writing() as session:  # the first was only slow, and comes to its end now
        assert not jobs.keep(session, id_, owners[0], 60, after(130))
        jobs.finish(session, id_, owners[0], JobState.DONE, after(131))
    assert state(writing, id_) == ("running", None)
    with writing() as session:
        assert not jobs.take(session, ALL, 60, after(jobs.TRIES * 61))
    assert state(writing, id_) == ("failed", "The process that did it ended, 3 times.")


def test_what_is_cancelled_ends_waiting_or_running(writing: Writing) -> None:
    first, second = ask(writing), ask(writing, "nusabali")
    with writing() as session:
        taken = jobs.take(session, ALL, 60, NOW)
        assert taken
        assert taken[0].id == first
        assert jobs.cancel(session, first, NOW)
        assert jobs.cancel(session, second, NOW)
    assert state(writing, second) == ("cancelled", None)
    with writing() as session:
        assert not jobs.cancel(session, second, NOW)
        assert not jobs.keep(session, first, taken[1], 60, NOW)
    with writing() as session:
        jobs.put_back(session, first, taken[1])  # its process ends before it could say so
    with writing() as session:
        assert not jobs.take(session, ALL, 60, NOW)
    assert state(writing, first) == ("cancelled", None)


def test_processes_that_compete_for_jobs_do_each_once(engine: Engine, writing: Writing) -> None:
    wanted = {ask(writing, f"outlet{number}") for number in range(12)}
    setting_up = """
import time
from datetime import UTC, datetime
from sqlalchemy.orm import Session
from storage import jobs
from storage.database import open_database
engine = open_database(sys.argv[1])
"""
    program = """
now = datetime(2026, 11, 22, tzinfo=UTC)
for _ in range(40):  # who looks while another takes one sees none
    with Session(engine) as session, session.begin():
        if taken := jobs.take(session, tuple(jobs.Kind), 60, now):
            print(taken[0].id)
    time.sleep(0.01)
"""
    url = engine.url.render_as_string(hide_password=False)
    done = [int(id_) for out in at_once(3, f"import sys{setting_up}", program, url)
            for id_ in out.split()]  # fmt: skip
    assert sorted(done) == sorted(wanted)


def test_a_cancelled_backfill_leaves_its_links_to_others(writing: Writing) -> None:
    with writing() as session:
        id_ = backfills.begin(session, NOW, NOW, ["laksara"], [], NOW)
        link = Link("https://laksara.id/satu", "https://laksara.id/satu", None, None)
        links.record(
            session,
            "laksara",
            [link],
            now=NOW,
            known_before=None,
            oldest=None,
            backfill_id=id_,
        )
    for what, told, pending in (
        (backfills.PAUSE, "stopped", 1),
        (backfills.CANCEL, "cancelled", 0),
    ):
        with writing() as session:
            backfills.ask(session, id_, what, NOW)
        with writing() as session:
            progress = backfills.get(session, id_, NOW)
            assert progress
            assert (progress.state, progress.pending) == (told, pending)
    with writing() as session:
        assert links.count(session)[State.SKIPPED] == 1
