"""deploy/local/stack: the commands behind `make run`, `make stop`, `make status` and
`make logs`, and `engines` for benches and experiments.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from .engine import ROOT
from .host import Trouble, require_port
from .kafka import Kafka
from .local import LocalStack
from .postgres import Postgres
from .redis import Redis
from .supervisor import UP

WHAT_TO_TRY = """
Onrush is up at {url} ({seconds:.0f} s). Try:

  a coupon         curl -s -X POST {url}/api/v1/coupons -d '{{"userId":7,"couponId":1}}'
  what is left     curl -s {url}/api/v1/coupons/1
  the whole proof  make verify C=1
  what runs        make status        a log   make logs P=coupon
  to end it        make stop

Settings and the admin key are in {settings}.
"""


def run(args):
    """Start what does not run yet, or is out of date, and wait until it is ready."""
    begin = time.monotonic()
    stack = LocalStack(args.dir, args.bin)
    stack.up(lambda line: print(line, flush=True))
    settings = stack.settings()
    print(
        WHAT_TO_TRY.format(
            url=settings["ONRUSH_URL"],
            seconds=time.monotonic() - begin,
            settings=os.path.relpath(stack.env_file),
        ).rstrip()
    )


def stop(args):
    """Stop all of it."""
    print("Stopped." if LocalStack(args.dir, args.bin).down() else "Nothing was running.")


def status(args):
    """Say what runs."""
    stack = LocalStack(args.dir, args.bin)
    rows = stack.status()
    if rows is None:
        raise Trouble("Nothing is running; `make run` starts it.")
    for name, state, description in rows:
        print(f"{name:<20} {state:<10} {description}")
    print("\n" + stack.onrush("status"), end="")
    if any(state not in UP for _, state, _ in rows):
        raise Trouble("Not everything runs; `make logs P=<name>` says why.")


def logs(args):
    """Follow the log of one program, or of all."""
    files = LocalStack(args.dir, args.bin).logs(args.program)
    os.execvp("tail", ["tail", "-n", "100", "-F", *map(str, files)])


def engines(args):
    """Run PostgreSQL, Redis and Kafka of one's own in the foreground until Ctrl-C."""
    base = Path(args.dir).resolve()
    for port in range(args.port, args.port + 4):
        require_port(port, "an engine", "--port")
    pg = Postgres(base / "pg", args.port)
    redis = Redis(base / "redis", args.port + 1)
    kafka = Kafka(base / "kafka", args.port + 2)
    servers = [pg, redis, kafka]
    try:
        for server in servers:
            server.prepare()
            server.launch()
        for server in servers:
            server.wait()
        pg.bootstrap("onrush")
        text = (
            f"ONRUSH_PG_DSN={pg.dsn()}\nONRUSH_REDIS_URL={redis.url()}\n"
            f"ONRUSH_KAFKA_BROKERS={kafka.brokers()}\n"
        )
        (base / "engines.env").write_text(text, encoding="utf-8")
        print(text, end="", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        for server in reversed(servers):
            server.stop()


def _interrupt(*_):
    raise KeyboardInterrupt


def _parser():
    parser = argparse.ArgumentParser(prog="stack", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for function in (run, stop, status, logs, engines):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        if function is engines:
            command.add_argument("--dir", required=True, help="where they keep their files")
            command.add_argument("--port", type=int, required=True, help="the first of four ports")
            continue
        command.add_argument("--dir", default=ROOT / ".run", help="default: .run")
        command.add_argument(
            "--bin", default=ROOT / "build/release/bin", help="where the programs are"
        )
        if function is logs:
            command.add_argument("program", nargs="?", default="", help="default: all")
    return parser


def main():
    args = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        args.function(args)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
