"""The programs of Onrush as the local stack runs them: names, copies, ports, roles."""

import os
from dataclasses import dataclass

from .host import Trouble


@dataclass(frozen=True)
class Program:
    """One row of the table; a program that has not been built is left out of the run."""

    name: str
    port: int  # of the first copy; the others follow
    role: str = ""  # of PostgreSQL; "": it does not use PostgreSQL
    copies: int = 1
    asks: tuple = ()  # keys of UPSTREAMS

    @property
    def binary(self):
        return f"onrush-{self.name}"


# The services that programs ask, by the setting that says where they are.
UPSTREAMS = {
    "ONRUSH_COUPON_URL": ("coupon", 8081),
    "ONRUSH_ORDER_URL": ("order", 8082),
    "ONRUSH_RESERVATION_URL": ("reservation", 8083),
    "ONRUSH_QUEUE_URL": ("queue", 8084),
}
SERVICES = frozenset(service for service, _ in UPSTREAMS.values())

PROGRAMS = (
    Program("coupon-publisher", 8091, role="onrush_coupon", copies=3),
    Program("payment-worker", 8094, role="onrush_payment", copies=3),
    Program("coupon", 8081, role="onrush_coupon"),
    Program("order", 8082, role="onrush_order", asks=("ONRUSH_COUPON_URL",)),
    Program("reservation", 8083, role="onrush_reservation"),
    Program("keeper", 8097, role="onrush_keeper", asks=("ONRUSH_COUPON_URL",)),
    Program("queue", 8084, role="onrush_queue", asks=("ONRUSH_RESERVATION_URL",)),
    Program("gateway", 8080, asks=tuple(UPSTREAMS)),
)
ADMIN_PORT = 8070  # of the gateway: /admin and /metrics
ENGINE_PORTS = {"pg": 15432, "redis": 16379, "kafka": 19092, "kafka-controller": 19093}


def port_variable(name):
    return "ONRUSH_PORT_" + name.upper().replace("-", "_")


def port_of(name, default):
    """The port that ONRUSH_PORT_<NAME> chooses, or the default."""
    text = os.environ.get(port_variable(name), "") or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise Trouble(f"{port_variable(name)}={text} is not a port: it must be 1 to 65535.")
    return int(text)


@dataclass(frozen=True)
class Copy:
    """One process of a program."""

    program: Program
    name: str  # as supervisord, logs and people call it
    port: int

    def environment(self, role_dsn, sockets):
        """What this process gets besides the settings file, which all share. role_dsn gives
        the database as a role sees it; None: it is as the settings file says. The
        gateway finds the services' sockets in the folder `sockets`."""
        env = {"ONRUSH_LISTEN": f"127.0.0.1:{self.port}"}
        if self.program.name in SERVICES:
            env["ONRUSH_LISTEN_TOO"] = f"unix:{sockets}/{self.program.name}.sock"
        for setting in self.program.asks:
            service, port = UPSTREAMS[setting]
            env[setting] = (
                f"unix:{sockets}/{service}.sock"
                if self.program.name == "gateway"
                else f"127.0.0.1:{port_of(service, port)}"
            )
        if self.program.name == "gateway":
            env["ONRUSH_ADMIN_LISTEN"] = f"127.0.0.1:{port_of('gateway-admin', ADMIN_PORT)}"
        else:
            env["ONRUSH_INSTANCE"] = self.name
        if self.program.role and role_dsn:
            env["ONRUSH_PG_DSN"] = role_dsn(self.program.role)
        return env


def copies(built):
    """All processes of the programs for which built(binary) is true."""
    result = []
    for program in filter(lambda p: built(p.binary), PROGRAMS):
        first = port_of(program.name, program.port)
        for i in range(program.copies):
            name = program.name if program.copies == 1 else f"{program.name}-{i}"
            result.append(Copy(program, name, first + i))
    return result
