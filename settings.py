"""Every setting, in one place.

`Settings` holds Pantau's own, read from the environment (`PANTAU_*`); docs/settings.md lists them
for operators. The names in capitals below are Scrapy's: `scrapy` reads this module (scrapy.cfg).
"""

from datetime import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as PydanticSettingsError

HOST_AND_PORT = r"^(off|[\w.-]+:([1-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))$"
ADDRESS = r"^https?://[^\s?#]*[^\s?#/]$"


class SettingsError(ValueError):
    """A setting that cannot be used; its text is one sentence for the operator."""


class Settings(BaseSettings):
    """Pantau's settings. Each is read from the environment variable PANTAU_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="PANTAU_", env_ignore_empty=True, frozen=True)

    home: Path = Path(__file__).parent / "var"
    """The one folder Pantau writes to: database, private Redis, logs."""

    database_url: str | None = None
    """SQLAlchemy URL (postgresql://… or sqlite:///…); none: SQLite in `home`."""

    redis_url: str | None = None
    """redis://, rediss:// or unix://; none: a private server in `home`."""

    catalogue: Path | None = None
    """A TOML file with more outlets; none: `outlets.toml` in `home`, if there is one."""

    outlets: str = ""
    """Which of the built-in outlets are watched: names or provinces, separated by commas; empty:
    all. Those of `catalogue` always are."""

    lexicon: Path | None = None
    """A TOML file with more words and rules for the judgement; see docs/lexicon.md."""

    stand_ins: dict[str, AnyHttpUrl] = {}
    """Outlet name → address of a site that plays it, for trials: {"nusabali": "http://…"}."""

    wayback_url: str = Field("https://web.archive.org", pattern=ADDRESS)
    """Where the Wayback Machine is."""

    common_crawl_index_url: str = Field("https://index.commoncrawl.org", pattern=ADDRESS)
    """Where the index of Common Crawl is."""

    common_crawl_data_url: str = Field("https://data.commoncrawl.org", pattern=ADDRESS)
    """Where the files of Common Crawl are."""

    allow_private_addresses: bool = False
    """Whether an outlet may live at a private or loopback address."""

    contact: str = ""
    """Web page or e-mail address in the user agent, for outlets that want to reach you."""

    zone: ZoneInfo = ZoneInfo("Asia/Jakarta")
    """The time zone of `crawl_at`."""

    crawl_at: time = time(5, 0)
    """When the daily crawl begins, HH:MM in `zone`."""

    digest_at: time = time(6, 30)
    """When daily rules get their digest, HH:MM in the rule's zone."""

    first_crawl_days: int = Field(7, ge=1)
    """How many days an outlet's first crawl goes back."""

    max_source_pages: int = Field(50, ge=1)
    """How many pages of one source a crawl reads back at the most."""

    max_articles: int = Field(2000, ge=1)
    """How many articles of one outlet a crawl fetches at the most; the rest waits for the next."""

    delay: float = Field(1.0, ge=0)
    """Least number of seconds between two requests to one outlet."""

    timeout: float = Field(30, gt=0)
    """After how many seconds a page that is not there whole is given up."""

    parallel_outlets: int = Field(16, ge=1)
    """How many outlets are crawled at the same time."""

    workers: int = Field(0, ge=0)
    """Processes that extract articles; 0: one per core."""

    lease_seconds: float = Field(60, gt=0)
    """After how long an outlet whose crawl died may be crawled by another process."""

    queue: bool = False
    """Whether crawls and backfills are done by `pantau worker` processes, wherever they run."""

    slice_seconds: float = Field(600, gt=0)
    """After how long a worker leaves an outlet for the others that wait, and comes back later."""

    secret_key: SecretStr | None = None
    """Keys that the channels' addresses are encrypted with, the newest first, separated by commas;
    `pantau alerts key` prints a new one. Without it there are no channels."""

    operators: str = ""
    """The channel that operators are told by what is wrong; none: only the log tells it."""

    language: Literal["en", "id"] = "en"
    """Of what the operators are told; each rule has a language of its own."""

    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """How much is logged."""

    log_format: str = Field("human", pattern="^(human|json)$")
    """How the log is written: lines for people, or a JSON object a line."""

    log_to: str = Field("file", pattern="^(file|stderr)$")
    """Where the log goes: pantau.log in `home`, or stderr, as containers have it."""

    heartbeat_url: str | None = Field(None, pattern=ADDRESS)
    """What `pantau run` asks when a daily crawl begins (URL/start), is done (URL), failed
    (URL/fail)."""

    crawl_hours: float = Field(6.0, gt=0)
    """How many hours after `crawl_at` the daily crawl is expected to be done."""

    metrics_address: str = Field(
        "127.0.0.1:9464",
        pattern=HOST_AND_PORT,
    )
    """Where `pantau run` serves metrics and feeds, HOST:PORT; "off": nowhere."""

    dashboard_address: str = Field("127.0.0.1:8080", pattern=HOST_AND_PORT)
    """Where the dashboard is served, HOST:PORT; "off": nowhere."""

    dashboard_url: str | None = Field(None, pattern=ADDRESS)
    """The dashboard's address as its visitors write it, where a proxy with HTTPS is before it."""

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home.absolute() / 'pantau.db'}"

    @property
    def user_agent(self) -> str:
        contact = f" (+{self.contact})" if self.contact else ""
        return f"Pantau/{version('pantau')}{contact}"


@cache
def load() -> Settings:
    """The settings of this process. Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "PANTAU_" + "_".join(map(str, first["loc"])).upper()
        raise SettingsError(f"{name} is not usable: {first['msg']}") from None
    except PydanticSettingsError:  # the only setting that is not plain text
        raise SettingsError(
            'PANTAU_STAND_INS is not JSON such as {"nusabali": "http://…"}.'
        ) from None


_settings = load()

# --- Scrapy -------------------------------------------------------------------------------------
BOT_NAME = "pantau"
USER_AGENT = _settings.user_agent
SPIDER_MODULES = ["spiders"]
NEWSPIDER_MODULE = "spiders"
SPIDER_LOADER_CLASS = "crawler.outlets.catalogue.CatalogueLoader"
ITEM_PIPELINES = {"crawler.pipeline.Keep": 100}
DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
    "crawler.web.archives.Archives": 20,
    "crawler.web.middlewares.OwnSite": 30,
    "crawler.web.middlewares.PrivateAddresses": 40,
    "crawler.web.middlewares.OneSlot": 50,
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "crawler.web.middlewares.Robots": 100,
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
    "crawler.web.middlewares.RetryAfter": 550,
    "scrapy.downloadermiddlewares.redirect.RedirectMiddleware": None,
    "crawler.web.middlewares.Redirects": 600,
    "scrapy.downloadermiddlewares.httpauth.HttpAuthMiddleware": None,
}
# what these see to is not asked for, or done already: lengths of URLs, referrers, statuses (each
# comes to the spider, which says what it means), depth; without the first, requests are no "start
# requests", and wait in the queue of the others
SPIDER_MIDDLEWARES = {
    "scrapy.spidermiddlewares.start.StartSpiderMiddleware": None,
    "scrapy.spidermiddlewares.httperror.HttpErrorMiddleware": None,
    "scrapy.spidermiddlewares.referer.RefererMiddleware": None,
    "scrapy.spidermiddlewares.urllength.UrlLengthMiddleware": None,
    "scrapy.spidermiddlewares.depth.DepthMiddleware": None,
    "scrapy.spidermiddlewares.metacopy.MetaCopyDetectionMiddleware": None,
}
SCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"  # the newest article first
TWISTED_DNS_RESOLVER = "crawler.web.middlewares.PublicResolver"

# Politeness. The delay is exact (no jitter): "at least a second" is a promise.
ROBOTSTXT_OBEY = True
ROBOTSTXT_USER_AGENT = "Pantau"
# one, not only per slot: what is being downloaded is all that a stop has to wait for
CONCURRENT_REQUESTS = 1
# a page gives an item or two; Scrapy would start its default of a hundred tasks for each page
CONCURRENT_ITEMS = 1
CONCURRENT_REQUESTS_PER_DOMAIN = 1
DOWNLOAD_DELAY = _settings.delay
DOWNLOAD_DELAY_JITTER = 0
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_START_DELAY = _settings.delay
AUTOTHROTTLE_MAX_DELAY = 30
# without a delay (sites of your own) there is nothing to throttle but what Crawl-delay asks for
AUTOTHROTTLE_TARGET_CONCURRENCY = 1.0 if _settings.delay else 1000.0
RETRY_TIMES = 1
REDIRECT_MAX_TIMES = 5
METAREFRESH_ENABLED = False
# the seen-set is the filter; this one would drop a redirect to a page that is queued already
DUPEFILTER_CLASS = "scrapy.dupefilters.BaseDupeFilter"
COOKIES_ENABLED = False

# Limits: every byte from the web is hostile.
DOWNLOAD_MAXSIZE = 10 * 1024 * 1024
DOWNLOAD_WARNSIZE = 0
DOWNLOAD_TIMEOUT = _settings.timeout
DOWNLOAD_VERIFY_CERTIFICATES = True
# nothing but the web: no file:, ftp:, s3: or data: from a page
DOWNLOAD_HANDLERS = {
    "http": "crawler.web.download.Http",
    "https": "crawler.web.download.Http",
    "file": None,
    "ftp": None,
    "s3": None,
    "data": None,
}

# Doors Scrapy opens by default.
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False
# turned off, they would still be loaded, and much with them
EXTENSIONS = {
    "scrapy.extensions.remote_control.RemoteControl": None,
    "scrapy.extensions.telnet.TelnetConsole": None,
}

LOG_LEVEL = _settings.log_level
STATS_DUMP = False
DOWNLOADER_STATS = False
