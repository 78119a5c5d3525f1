"""The seen-set: Redis' fast memory of which URLs are settled, and which are being worked on.

A URL is a 10-byte digest of its canonical form: two bytes choose one of 65,536 sets, eight are
its member. Sets of up to 512 integers are packed arrays in Redis (`set-max-intset-entries`), so a
settled URL costs little more than its eight bytes, up to some 25 million URLs; that two of them
share their digest is less likely than one in a million. A claimed URL is a key of its own with a
time to live, the lease.

The database is the truth: where the set is empty (new, flushed), it is rebuilt from it.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum

from redis import Redis
from redis.exceptions import ResponseError

BATCH = 1000
REBUILD_SECONDS = 30  # prolonged with each batch; who waits for one that died waits so long

BUILT = "pantau:built"
REBUILDING = "pantau:rebuilding"

# ARGV: owner, lease in ms, then bucket and member of each URL
_CLAIM = """
if redis.call('EXISTS', 'pantau:built') == 0 then return redis.error_reply('EMPTY') end
local answers = {}
for i = 3, #ARGV, 2 do
  local bucket, member = ARGV[i], ARGV[i + 1]
  if redis.call('SISMEMBER', 'pantau:s' .. bucket, member) == 1 then
    answers[#answers + 1] = 0
  else
    local lease = 'pantau:l' .. bucket .. member
    local owner = redis.call('GET', lease)
    if owner and owner ~= ARGV[1] then
      answers[#answers + 1] = 2
    else
      redis.call('SET', lease, ARGV[1], 'PX', ARGV[2])
      answers[#answers + 1] = 1
    end
  end
end
return answers
"""

_SETTLE = """
for i = 1, #ARGV, 2 do
  redis.call('SADD', 'pantau:s' .. ARGV[i], ARGV[i + 1])
  redis.call('DEL', 'pantau:l' .. ARGV[i] .. ARGV[i + 1])
end
"""

_RELEASE = """
for i = 2, #ARGV, 2 do
  local lease = 'pantau:l' .. ARGV[i] .. ARGV[i + 1]
  if redis.call('GET', lease) == ARGV[1] then redis.call('DEL', lease) end
end
"""

# ARGV: who rebuilt, whether to the end
_REBUILT = """
if redis.call('GET', 'pantau:rebuilding') ~= ARGV[1] then return end
if ARGV[2] == '1' then redis.call('SET', 'pantau:built', 1) end
redis.call('DEL', 'pantau:rebuilding')
"""


class Claim(IntEnum):
    """The answer to a claim."""

    SETTLED = 0
    """Its outcome is stored: nothing to do."""
    GRANTED = 1
    """New, or claimed by the same owner before: the owner's until the lease ends."""
    TAKEN = 2
    """Somebody else's for now."""


def _digest(url: str) -> tuple[bytes, int]:
    digest = hashlib.blake2b(url.encode(errors="surrogatepass"), digest_size=10).digest()
    return digest[:2], int.from_bytes(digest[2:], signed=True)


def _arguments(urls: Sequence[str]) -> list[bytes | int]:
    return [part for url in urls for part in _digest(url)]


class Seen:
    """The seen-set in `redis`.

    `settled` gives every URL whose outcome is stored, to rebuild from. All URLs are canonical.
    """

    def __init__(self, redis: Redis, settled: Callable[[], Iterable[Sequence[str]]]) -> None:
        self._redis = redis
        self._settled = settled
        self._claim = redis.register_script(_CLAIM)
        self._settle = redis.register_script(_SETTLE)
        self._release = redis.register_script(_RELEASE)
        self._rebuilt = redis.register_script(_REBUILT)

    def claim(self, urls: Sequence[str], owner: str, seconds: float) -> list[Claim]:
        """Lease each of `urls` to `owner` for `seconds`, unless it is settled or another's."""
        answers: list[Claim] = []
        for start in range(0, len(urls), BATCH):
            arguments = [owner, int(seconds * 1000), *_arguments(urls[start : start + BATCH])]
            while True:
                try:
                    answers += map(Claim, self._claim(args=arguments))
                    break
                except ResponseError as error:
                    if "EMPTY" not in str(error):
                        raise
                    self._rebuild()
        return answers

    def settle(self, urls: Sequence[str]) -> None:
        """Note that the outcomes of `urls` are stored. Call it only after their commit."""
        for start in range(0, len(urls), BATCH):
            self._settle(args=_arguments(urls[start : start + BATCH]))

    def release(self, urls: Sequence[str], owner: str) -> None:
        """Give back the leases that `owner` holds on `urls`."""
        for start in range(0, len(urls), BATCH):
            self._release(args=[owner, *_arguments(urls[start : start + BATCH])])

    def _rebuild(self) -> None:
        """Fill the set from the database; one process does it, the others wait.

        It is not marked as built where Redis was emptied again meanwhile."""
        me = secrets.token_hex(8)
        while not self._redis.set(REBUILDING, me, nx=True, ex=REBUILD_SECONDS):
            if self._redis.exists(BUILT):
                return
            time.sleep(0.1)
        built = False
        try:
            if not self._redis.exists(BUILT):  # else it was done just before
                for urls in self._settled():
                    self.settle(urls)
                    self._redis.expire(REBUILDING, REBUILD_SECONDS)
            built = True
        finally:
            self._rebuilt(args=[me, int(built)])
