"""The rows about the waiting line and the seats. They have a line and a concert of their
own; who asks for seats shows a pass of the general line, as everybody must.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from onrush_local.host import Trouble, wait_until
from report import Asked
from rig import SECONDS
from shop import Shop

LINE = 5001
FIRST = 3_000_000  # of the users with passes
BUYERS = 2000
CONCERT = 5001
# Dates of it and their seats: for looking, for everyone at once, and for each a free one.
LISTED, CONTENDED, ROOMY = 50001, 50002, 50003
FIRST_SEAT = {LISTED: 5_000_000, CONTENDED: 5_100_000, ROOMY: 6_000_000}
SEATS = {LISTED: 50, CONTENDED: 100, ROOMY: 40_000 * SECONDS}
CROWD, CROWD_RATE = 10_000, 10_000  # connections, requests/s

OPEN = f"""
    insert into reservation.concerts values ({CONCERT}, 'bench', 1000);
    insert into reservation.options
      select d, {CONCERT}, now() from unnest(array{list(SEATS)}) d;
    insert into reservation.seats (seat_id, option_id, seat_no, price)
      select first + n, d, n + 1, 10
        from unnest(array{list(SEATS)}, array{list(FIRST_SEAT.values())},
                    array{list(SEATS.values())}) t (d, first, size),
             generate_series(0, size - 1) n"""

# Of a date: reservations that hold seats, the seats that are held, and by how many.
HELD = """
    select count(distinct r.reservation_id) as reservations, count(*) as seats,
           count(distinct seat_id) as different
      from reservation.seats s join reservation.reservations r using (reservation_id)
     where s.option_id = {0} and s.held_until > now() and s.seat_id = any(r.seat_ids)"""


class Line:
    """The rows about tokens: a line that serves a hundred people a second, so that nearly
    everybody waits."""

    opened = False

    def __init__(self, rig):
        self.rig = rig

    def open(self):
        if Line.opened:
            return
        Line.opened = True
        self.rig.call(
            "/admin/queue/lines",
            {"line": LINE, "name": "bench", "rate": 100, "maxActive": 100_000, "noShowMs": -1},
        )
        wait_until(lambda: any(n["line"] == LINE for n in self._lines()), 5, "The line")

    def _lines(self):
        return self.rig.call("/admin/queue/lines")["lines"]

    def given(self):
        """Tickets, as PostgreSQL knows them a second later."""
        time.sleep(2)
        return self.rig.books.one(f"select given as n from queue.lines where line_id = {LINE}")["n"]

    def take(self, name, connections, *arguments, **options):
        body = f'{{"userId":{{user}},"line":{LINE}}}'
        return self.rig.http(
            name, connections, "--path", "/queue/tokens", "--body", body, *arguments, **options
        )

    def ask(self, name, connections, *arguments):
        """How the first people of the line stand."""
        path = f"/queue/tokens/status/{{user}}?line={LINE}"
        return self.rig.http(
            name, connections, "--method", "GET", "--path", path, "--users", CROWD, *arguments
        )

    def prove(self):
        return ""


class Tokens(Line):
    def run(self):
        self.open()
        before = self.given()
        self.tokens = self.take("tokens, 256 connections", 256, first_user=1 + before)
        told, there = self.tokens.result["granted"], self.given() - before
        if told != there:
            raise Trouble(f"{told} tokens were given by answers, but {there} in the line.")
        return [self.tokens]

    def asked(self):
        return [Asked.at_least("tokens, each of a new user", 20000, self.tokens.rate)]


class Status(Line):
    def run(self):
        self.open()
        self.take("tokens of the crowd", 64, "--requests", CROWD, "--warmup", 0)
        self.status = self.ask("status, 256 connections", 256)
        return [self.status]

    def asked(self):
        return [Asked.at_least("status of who waits", 35000, self.status.rate)]


class Crowd(Line):
    """Ten thousand people who look at once, at a rate that does not wait for answers."""

    def run(self):
        self.open()
        self.take("tokens of the crowd", 64, "--requests", CROWD, "--warmup", 0)
        self.crowd = self.ask(f"status, {CROWD:,} connections", CROWD, "--rate", CROWD_RATE)
        return [self.crowd]

    def asked(self):
        right = self.crowd.result["statuses"].get("200", 0)
        what = f"{CROWD:,} connections, {CROWD_RATE:,}/s"
        others = self.crowd.result["requests"] - right + self.crowd.result["errors"]
        return [
            Asked.at_most(f"{what}, p99", 50, self.crowd.ms("p99"), "ms"),
            Asked(f"{what}, anything but 200", "= 0", others, "", others == 0),
        ]


class Hall(Shop):
    """What the rows about seats share."""

    ready = None

    def enter(self):
        """A concert, and buyers who are served; once for all rows. Gives their passes."""
        if Hall.ready is None:
            self.rig.books.execute(OPEN)
            Hall.ready = self._passes()
        return Hall.ready

    def _passes(self):
        self.rig.call(
            "/admin/queue/lines/0",
            {"rate": -1, "maxActive": 1_000_000, "noShowMs": -1},
            method="PUT",
        )
        with ThreadPoolExecutor(16) as pool:
            passes = list(pool.map(self._take, range(FIRST, FIRST + BUYERS)))
        wait_until(lambda: self._active(FIRST + BUYERS - 1), 30, "The line of the buyers")
        file = self.rig.stack.dir / "passes"
        file.write_text("".join(f"{p}\n" for p in passes), "utf-8")
        return file

    def _take(self, user):
        return self.rig.call("/queue/tokens", {"userId": user}, key=False)["token"]

    def _active(self, user):
        return self.rig.call(f"/queue/tokens/status/{user}", key=False)["status"] == "ACTIVE"

    def load(self, name, *arguments, connections=256):
        passes = ("--passes", self.enter())
        return self.rig.http(name, connections, *passes, *arguments, first_user=FIRST)

    def reserve(self, name, date):
        """Everyone reserves seats of the date, chosen as they come."""
        seats = ("--first-seat", FIRST_SEAT[date], "--seats", SEATS[date])
        body = ("--body", '{"seatId":{seat},"userId":{user}}')
        run = self.load(name, "--path", "/concerts/reserve-seat", *seats, *body)
        told, held = run.result["granted"], self.rig.books.one(HELD.format(date))
        if not told == held["reservations"] == held["seats"] == held["different"]:
            raise Trouble(f"{told} seats were given by answers, but there are {held}.")
        return run


class Seats(Hall):
    def run(self):
        path = ("--method", "GET", "--path", f"/concerts/{LISTED}/available-seats")
        self.list = self.load("free seats, 256 connections", *path)
        return [self.list]

    def asked(self):
        return [Asked.at_least(f"list of {SEATS[LISTED]} free seats", 45000, self.list.rate)]


class Reserve(Hall):
    def run(self):
        self.contended = self.reserve("100 seats for everybody, 256", CONTENDED)
        self.roomy = self.reserve("a free seat for each, 256", ROOMY)
        return [self.contended, self.roomy]

    def asked(self):
        taken = self.contended.result["granted"]
        return [
            Asked.at_least("decisions on 100 seats", 12000, self.contended.decisions / SECONDS),
            Asked("of them held", f"= {SEATS[CONTENDED]}", taken, "", taken == SEATS[CONTENDED]),
        ]
