#!/usr/bin/env python3
"""make queue-growth: what a waiting line costs as it grows from 10 thousand people to 10
million: the memory of Redis, and the time of a token and of a look at one's place.

The first ten thousand take their tokens from the service. The others are written to Redis
as the service writes them, a hundred to a bucket, because taking ten million would need
minutes. Prints a table and leaves it in build/bench/queue-growth.md.

    BENCH_PORT=27080            the first of the ports
    GROWTH_SIZES=10000,100000   how many wait, ascending; the first is at least 10000
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy/local"), str(Path(__file__).parent)]

from onrush_local.host import Trouble, wait_until  # noqa: E402
from onrush_local.local import LocalStack  # noqa: E402
from onrush_local.programs import ENGINE_PORTS, port_of  # noqa: E402
from rig import BIN, Rig, choose_ports, say  # noqa: E402

RESULTS = ROOT / "build/bench"
SIZES = "10000,100000,1000000,10000000"
FROM_SERVICE = 10_000
CALLS = 5_000  # of each kind, at each size
CONNECTIONS = 16
BUCKET = 100  # users, as in services/queue/desk.c
CHUNK = 500  # buckets in one call: Redis is busy with it for a moment only
LINE, SPARSE = 71, 72
SPARSE_COUNT = 1_000_000

# ARGV: the first bucket and the last; how far apart the users' ids are. User and ticket are
# the same number; the last one has been given.
FILL = f"""
local L, far = KEYS[1], tonumber(ARGV[3])
local last = 0
for bucket = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local pairs_ = {{}}
  for field = 0, {BUCKET - 1} do
    last = bucket * {BUCKET} + field
    local user = last * far
    local key = L .. ':u:' .. string.format('%.0f', math.floor(user / {BUCKET}))
    local name = string.format('%.0f', user % {BUCKET})
    if far > 1 then redis.call('HSET', key, name, string.format('%.0f', last))
    else
      pairs_[#pairs_ + 1] = name
      pairs_[#pairs_ + 1] = string.format('%.0f', last)
    end
  end
  if far == 1 then redis.call('HSET', L .. ':u:' .. bucket, unpack(pairs_)) end
end
redis.call('HSET', L, 'next', string.format('%.0f', last),
  'bound', string.format('%.0f', last + 65536))
return last
"""


class Growth:
    def __init__(self, rig):
        self.rig = rig
        self.queue = f"127.0.0.1:{port_of('queue', 8084)}"
        self.given = 0
        self.empty = 0

    # --- Redis -------------------------------------------------------------------------

    def redis(self, *words):
        port = port_of("redis", ENGINE_PORTS["redis"])
        done = subprocess.run(
            ["redis-cli", "-p", str(port), "--no-raw", *map(str, words)],
            capture_output=True,
            text=True,
            check=True,
        )
        if "ERR" in done.stdout:
            raise Trouble(f"redis-cli {words[0]}: {done.stdout.strip()}")
        return done.stdout

    def used_memory(self):
        port = port_of("redis", ENGINE_PORTS["redis"])
        text = subprocess.run(
            ["redis-cli", "-p", str(port), "INFO", "memory"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return int(text.partition("used_memory:")[2].split()[0])

    def encoding(self, bucket):
        return self.redis("OBJECT", "ENCODING", f"q:{{{LINE}}}:u:{bucket}").strip()

    def fill(self, line, first, last, far=1):
        """Whole buckets of tickets, up to `last`."""
        for start in range(first // BUCKET, last // BUCKET, CHUNK):
            stop = min(start + CHUNK, last // BUCKET) - 1
            self.redis("EVAL", FILL, 1, f"q:{{{line}}}", start, stop, far)

    # --- the service ---------------------------------------------------------------------

    def open(self, line):
        self.rig.call(
            "/admin/queue/lines",
            {"line": line, "name": f"growth {line}", "maxActive": 0, "noShowMs": -1},
        )
        wait_until(lambda: self._answers(line), 10, f"Line {line}")

    def _answers(self, line):
        try:
            return self.rig.call(f"/queue/serving?line={line}", key=False)["line"] == line
        except OSError:
            return False

    def load(self, path, first, requests, *more):
        done = subprocess.run(
            [
                BIN / "onrush-bench",
                *("--connections", str(CONNECTIONS), "--warmup", "0"),
                *("--requests", str(requests), "--first-user", str(first), "--path", path),
                *more,
                self.queue,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        result = json.loads(done.stdout)
        if result["statuses"] != {"200": requests}:
            raise Trouble(f"{path}: {result['statuses']}, {result['errors']} errors.")
        return result

    def take(self, requests):
        """Tokens for users that nobody has seen."""
        body = f'{{"userId":{{user}},"line":{LINE}}}'
        result = self.load("/queue/tokens", self.given + 1, requests, "--body", body)
        self.given += requests
        return result

    def look(self):
        path = f"/queue/tokens/status/{{user}}?line={LINE}"
        first = max(1, self.given // 2)
        return self.load(path, first, CALLS, "--method", "GET")

    # --- the table -------------------------------------------------------------------------

    def grow(self, size):
        if self.given == 0:
            self.take(FROM_SERVICE)
        if size > self.given:
            first = (self.given // BUCKET + 1) * BUCKET
            self.fill(LINE, first, size + BUCKET)
            self.given = size + BUCKET - 1
            kinds = {self.encoding(bucket) for bucket in (10, first // BUCKET)}
            if kinds != {'"listpack"'}:
                raise Trouble(f"Buckets are {kinds}, not listpacks.")

    def row(self, size):
        say(f"{size:,} people …")
        self.grow(size)
        used = self.used_memory()
        look, take = self.look(), self.take(CALLS)
        return (
            f"| {size:,} | {used / 1e6:.1f} | {(used - self.empty) / size:.1f} |"
            f" {take['p50_us'] / 1e3:.2f} | {take['p99_us'] / 1e3:.2f} |"
            f" {look['p50_us'] / 1e3:.2f} | {look['p99_us'] / 1e3:.2f} |"
        )

    def sparse(self):
        """Bytes for a user when no two share a bucket."""
        say(f"{SPARSE_COUNT:,} people whose ids are far apart …")
        before = self.used_memory()
        self.fill(SPARSE, BUCKET, SPARSE_COUNT + BUCKET, far=1000)
        return (self.used_memory() - before) / SPARSE_COUNT

    def table(self, sizes):
        for line in (LINE, SPARSE):
            self.open(line)
        self.empty = self.used_memory()
        lines = [
            "| waiting | Redis MB | bytes each | token p50 ms | p99 | status p50 ms | p99 |",
            "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(self.row(size) for size in sizes),
        ]
        far = self.sparse()
        return "\n".join(
            [*lines, "", f"Users whose ids are at least {BUCKET} apart: {far:.0f} bytes each."]
        )


def main():
    sizes = [int(size) for size in os.environ.get("GROWTH_SIZES", SIZES).split(",")]
    choose_ports(int(os.environ.get("BENCH_PORT", "27080")))
    stack = LocalStack(RESULTS / "growth-stack", BIN)
    stack.down()
    shutil.rmtree(stack.dir, ignore_errors=True)
    try:
        stack.up(say)
        table = Growth(Rig(stack)).table(sizes)
    finally:
        stack.down()
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "queue-growth.md").write_text(table + "\n", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        sys.exit(str(trouble))
