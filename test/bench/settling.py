"""What becomes of orders while they are placed: how many wait, and how long one of them
takes to be settled, as a client sees it and as PostgreSQL's own times say.
"""

import json
import threading
import time

from report import Settled

POLL = 0.005  # seconds between two looks at an order
PAUSE = 0.1  # seconds between two orders of the sample
LOOK = 0.5  # seconds between two looks at those that wait

# Of the orders that were placed and settled in the measured time.
TIMES = """
    select count(*) / extract(epoch from '{ended}'::timestamptz - '{began}') as rate,
           coalesce(percentile_cont(0.5) within group (order by took), 0) as p50,
           coalesce(percentile_cont(0.99) within group (order by took), 0) as p99
      from (select extract(epoch from settled_at - created_at) * 1000 as took
              from orders.orders where created_at >= '{began}'::timestamptz
               and settled_at < '{ended}'::timestamptz) o"""


class Sample(threading.Thread):
    """Places an order now and then and looks until it is settled: `times` in ms."""

    def __init__(self, rig, body):
        super().__init__()
        self.rig = rig
        self.body = json.dumps(body)
        self.times = []
        self.over = threading.Event()

    def run(self):
        connection = self.rig.connect()
        while not self.over.wait(PAUSE):
            order = self._data(connection, "POST", "/api/v1/orders", self.body)
            began = time.monotonic()
            while (
                self._data(connection, "GET", f"/api/v1/orders/{order['orderId']}")["status"]
                == "PENDING"
                and not self.over.is_set()
            ):
                time.sleep(POLL)
            self.times.append((time.monotonic() - began) * 1e3)
        connection.close()

    def _data(self, connection, method, path, body=None):
        connection.request(method, path, body)
        return json.load(connection.getresponse())["data"]


class Waiting(threading.Thread):
    """Looks how many orders wait for their payment: the most there were."""

    def __init__(self, books):
        super().__init__()
        self.books = books
        self.most = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(LOOK):
            now = self.books.one("select count(*) as n from orders.unsettled")["n"]
            self.most = max(self.most, now)


def watched(rig, load, body, warmup):
    """Runs load(), which gives a Run, and gives that with what became of its orders.
    `body` is an order for the sample."""
    threads = sample, waiting = Sample(rig, body), Waiting(rig.books)
    began = rig.books.one(f"select clock_timestamp() + interval '{warmup} s' as now")["now"]
    for thread in threads:
        thread.start()
    try:
        run = load()
        ended = rig.books.one("select clock_timestamp() as now")["now"]
        over = time.monotonic()
        rig.books.settle()
        drained = time.monotonic() - over
    finally:
        for thread in threads:
            thread.over.set()
            thread.join()
    row = rig.books.one(TIMES.format(began=began, ended=ended))
    run.settled = Settled(
        rate=row["rate"],
        most_waiting=waiting.most,
        p50=row["p50"],
        p99=row["p99"],
        seen=sorted(sample.times),
        drained=drained,
    )
    return run
