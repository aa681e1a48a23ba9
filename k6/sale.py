#!/usr/bin/env python3
"""make queue-tokens and its like: a script of the seat sale against the local stack, then the
proof.

    k6/sale.py queue_tokens | queue_status | concerts | concert_dates | concert_seats |
               reserve_seat | seat_payment

Makes what the script needs (users who have never asked, a hall of its own), sees to it that
as many connections may be open as there are people, runs it, and compares what the clients
saw with what PostgreSQL holds. SCALE=0.1 makes it shorter.
"""

import contextlib
import math
import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta

from runner import Runner, Trouble, compare, main

SPARE_FILES = 1000  # besides a connection for each person: upstreams, logs, libraries
WAITING_RATE = 100  # people a second who are served while queue_status shows a line
HALL, BUYERS, TO_BUY = 100, 300, 20_000  # seats to fight for; people and seats that are bought
MOST_SEATS = 10_000  # that one call makes

GIVEN = "select given as n from queue.lines where line_id = 0"
RESERVED = """
    select count(distinct reservation_id) as reservations, count(distinct seat) as seats,
           count(*) filter (where status = 'OWNED') as owned
      from reservation.reservations, unnest(seat_ids) seat
     where concert_id = {0} and (status = 'OWNED' or held_until > now())"""
PAID = """
    select count(*) as payments, coalesce(sum(p.amount), 0) as won
      from reservation.payments p join reservation.reservations using (reservation_id)
     where concert_id = {0} and p.status = 'COMPLETED'"""


class Script:
    """A script that needs nothing but people."""

    def __init__(self, name, people):
        self.runner = Runner(name)
        self.scale = float(os.environ.get("SCALE") or 1)
        self.people = math.ceil(people * self.scale)
        # Nobody of an earlier run: the ids go with the time.
        self.first_user = int(time.time()) * 1_000_000

    def settings(self):
        """Of the script; makes what it needs."""
        return {}

    @contextlib.contextmanager
    def around(self):
        """What is different while the script runs."""
        yield

    def rows(self):
        """What more is compared: (what, as clients saw it, as PostgreSQL holds it)."""
        return []

    def run(self):
        allow_files(self.runner, self.people)
        settings = {"FIRST_USER": str(self.first_user), **self.settings()}
        before = self.line()["given"]
        with self.around():
            kept = self.runner.k6(**settings)
        proven, proof = self._prove(before)
        self.runner.report(proof)
        return kept, proven, self.runner

    def line(self):
        """The general line as the service knows it now: PostgreSQL learns of a line that was
        made again, after Redis had lost it, a little later."""
        lines = self.runner.call("/admin/queue/lines")["lines"]
        return next(line for line in lines if line["line"] == 0)

    def _given(self, before, expected):
        """Tickets since then: PostgreSQL hears of them within a second."""
        end = time.monotonic() + 5
        while (given := self.runner.books.one(GIVEN)["n"] - before) < expected:
            if time.monotonic() > end:
                break
            time.sleep(0.1)
        return given

    def _prove(self, before):
        """(good, text)"""
        runner = self.runner
        runner.books.settle()
        people = runner.count("people")
        rows = [("people, tickets given", people, self._given(before, people)), *self.rows()]
        good, lines = compare(rows)
        faults = runner.books.faults()
        verdict = [f"  BROKEN: {fault}" for fault in faults] or [
            "  money is conserved, every seat has one owner, who paid for it once"
        ]
        return good and not faults, "\n".join(
            ["proof", *lines, "", runner.books.summary(), *verdict, ""]
        )


class Waiting(Script):
    """So slow a line that people see it."""

    @contextlib.contextmanager
    def around(self):
        usual = self.line()["rate"]
        self._serve(math.ceil(WAITING_RATE * self.scale))
        try:
            yield
        finally:
            self._serve(-1 if usual is None else usual)

    def _serve(self, rate):
        self.runner.call("/admin/queue/lines/0", {"rate": rate}, method="PUT")


class Concerts(Script):
    def settings(self):
        query = "select count(*) as n from reservation.concerts"
        return {"CONCERTS": str(self.runner.books.one(query)["n"])}


class Hall(Script):
    """A concert of its own with seats that nobody has touched; anyone may take them all."""

    seats, price = HALL, 10_000

    def settings(self):
        self.concert = self.first_user
        date = {"id": self.concert, "date": (datetime.now(UTC) + timedelta(days=30)).isoformat()}
        call = self.runner.call
        body = {"id": self.concert, "name": self.runner.name, "perUserLimit": 1000}
        call("/admin/concerts", body)
        call(f"/admin/concerts/{self.concert}/dates", date)
        for first in range(0, self.seats, MOST_SEATS):
            body = {
                "firstSeatId": self.concert + first,
                "firstSeatNo": 1 + first,
                "count": min(MOST_SEATS, self.seats - first),
                "price": self.price,
            }
            call(f"/admin/dates/{self.concert}/seats", body)
        return {"FIRST_SEAT": str(self.concert), "SEATS": str(self.seats)}

    def reserved(self):
        return self.runner.books.one(RESERVED.format(self.concert))

    def rows(self):
        held, there = self.runner.count("seats_held"), self.reserved()
        return [
            ("reservations", held, there["reservations"]),
            ("seats held", held, there["seats"]),
            ("of a hundred", HALL, there["seats"]),
        ]


class Buying(Hall):
    seats = TO_BUY

    def settings(self):
        users = range(self.first_user, self.first_user + self.people)
        self.runner.call("/admin/accounts", {"userIds": list(users)})
        return super().settings()

    def rows(self):
        count, there = self.runner.count, self.reserved()
        paid = self.runner.books.one(PAID.format(self.concert))
        return [
            ("reservations", count("seats_held"), there["reservations"]),
            ("payments", count("payments"), paid["payments"]),
            ("won paid", count("payments") * self.price, paid["won"]),
            ("seats owned", count("payments"), there["owned"]),
        ]


SCRIPTS = {
    "queue_tokens": lambda: Script("queue_tokens", 10_000),
    "queue_status": lambda: Waiting("queue_status", 3000),
    "concerts": lambda: Concerts("concerts", 6000),
    "concert_dates": lambda: Script("concert_dates", 6000),
    "concert_seats": lambda: Script("concert_seats", 4000),
    "reserve_seat": lambda: Hall("reserve_seat", 4000),
    "seat_payment": lambda: Buying("seat_payment", BUYERS),
}


def allow_files(runner, people):
    """k6 and the gateway have a connection open for each person."""
    need = people + SPARE_FILES
    gateway = runner.stack.supervisor.processes().get("gateway", {}).get("pid")
    if not gateway:
        raise Trouble("The gateway does not run: run `make run`.")
    for who, pid in (("k6", 0), ("the gateway", gateway)):
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        if soft >= need:
            continue
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (need, max(need, hard)))
        except (PermissionError, ValueError) as error:
            raise Trouble(
                f"{people:,} people need {need:,} open files, and {who} may have {hard:,}: raise"
                f" the limit (`ulimit -Hn {need}` as root, then `make stop run`), or run with"
                f" SCALE={max(0.01, (hard - SPARE_FILES) / people):.2f}."
            ) from error


if __name__ == "__main__":
    name = sys.argv[1]
    target = name.replace("_", "-")
    sys.exit(main(lambda: SCRIPTS[name]().run(), f"P95_MS=2000 make {target}"))
