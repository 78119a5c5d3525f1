"""What Scrapy and Pantau log goes to pantau.log, for the terminal is for people; or to stderr.

Each line says which crawl and which outlet it is about, where it is about one.
"""

import logging
import logging.handlers
from typing import Any

import structlog
from structlog.typing import EventDict

import settings
from cli.inputs import InputError

MAX_BYTES = 10_000_000
OLD_FILES = 3


def write_log() -> None:
    """Write the log of this process. Raises InputError where PANTAU_HOME cannot be made."""
    current = settings.load()
    try:
        current.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"PANTAU_HOME, {current.home}, cannot be made: {error.strerror}") from None
    handler: logging.Handler = logging.StreamHandler()
    if current.log_to == "file":
        handler = logging.handlers.RotatingFileHandler(
            current.home / "pantau.log", maxBytes=MAX_BYTES, backupCount=OLD_FILES, encoding="utf-8"
        )
    handler.setFormatter(_formatter(current.log_format))
    logging.basicConfig(level=current.log_level, handlers=[handler])
    logging.captureWarnings(True)


def _formatter(form: str) -> logging.Formatter:
    last: list[Any]
    if form == "json":
        last = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        last = [
            structlog.dev.ConsoleRenderer(
                colors=False,
                pad_event_to=0,
                pad_level=False,
                # not with the local variables, which hold passwords
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.contextvars.merge_contextvars,
            _name_the_crawl,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _name_the_crawl(logger: object, method: str, event: EventDict) -> EventDict:
    """A crawl runs in a context with its names (crawler.run); where Scrapy left that, it still
    gives its spider along."""
    record = event["_record"]
    spider = getattr(record, "spider", None)
    event["process"] = record.process
    event.setdefault("crawl", getattr(spider, "run", None))
    event.setdefault("outlet", getattr(spider, "name", None))
    return event
