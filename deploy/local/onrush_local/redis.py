"""Redis 7 as a private server."""

import socket

from .engine import Engine
from .host import which


class Redis(Engine):
    """Keeps nothing on disk: losing it must cost speed only."""

    name = "redis"

    def prepare(self):
        super().prepare()
        (self.dir / "redis.conf").write_text(
            f'bind 127.0.0.1\nport {self.port}\ndir "{self.dir}"\n'
            'appendonly no\nsave ""\nmaxmemory 512mb\nmaxmemory-policy noeviction\n'
            "databases 256\ntcp-backlog 128\ndaemonize no\nloglevel notice\n",
            encoding="utf-8",
        )

    def command(self):
        return [which("redis-server"), str(self.dir / "redis.conf")]

    def ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
                s.sendall(b"PING\r\n")
                return s.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def url(self, database=0):
        return f"redis://127.0.0.1:{self.port}/{database}"
