"""deploy/local/stack: the commands behind `make run`, `make stop` and their like."""

import argparse
import signal
import sys
from pathlib import Path

from .host import Trouble, require_port
from .kafka import Kafka
from .postgres import Postgres
from .redis import Redis


def engines(args):
    """Runs PostgreSQL, Redis and Kafka of one's own in the foreground until Ctrl-C."""
    base = Path(args.dir)
    servers = [
        Postgres(base / "pg", args.port),
        Redis(base / "redis", args.port + 1),
        Kafka(base / "kafka", args.port + 2),
    ]
    for port in range(args.port, args.port + 4):
        require_port(port, "an engine", "--port")
    try:
        for server in servers:
            server.prepare()
            server.launch()
        for server in servers:
            server.wait()
        pg, redis, kafka = servers
        pg.bootstrap("onrush")
        lines = [
            f"ONRUSH_PG_DSN={pg.dsn()}",
            f"ONRUSH_REDIS_URL={redis.url()}",
            f"ONRUSH_KAFKA_BROKERS={kafka.brokers()}",
        ]
        (base / "engines.env").write_text("".join(line + "\n" for line in lines))
        print(*lines, sep="\n", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        for server in reversed(servers):
            server.stop()


def _interrupt(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(prog="stack", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    one = commands.add_parser("engines", help=engines.__doc__)
    one.add_argument("--dir", required=True, help="where they keep their files")
    one.add_argument("--port", type=int, required=True, help="the first of four ports")
    one.set_defaults(run=engines)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        args.run(args)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0
