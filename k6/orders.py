#!/usr/bin/env python3
"""make order-mix and make points-charge: a script against the local stack, then the proof.

    k6/orders.py order_mix | points_charge

Opens the accounts that the script uses and brings pieces of what is sold most; runs it;
waits until every order is settled; compares what the clients saw with what PostgreSQL
holds; and checks the books: money conserved, stock exact, each order paid once. SCALE=0.1
makes it shorter.
"""

import sys

from runner import Runner, compare, main

LIMITS = {
    "order_mix": "P99_MS=100 make order-mix",
    "points_charge": "P95_MS=200 make points-charge",
}
ACCOUNTS = 1000
PIECES = 10000  # of each product that can be ordered

# What has happened since a moment of PostgreSQL's own clock.
SINCE = """
    select (select count(*) from orders.transfers where kind = 'CHARGE' and made_at >= '{0}')
               as charges,
           (select coalesce(sum(amount), 0) from orders.transfers
             where kind = 'CHARGE' and made_at >= '{0}') as won,
           (select count(*) from orders.orders where created_at >= '{0}') as orders,
           (select count(*) from orders.orders
             where created_at >= '{0}' and status = 'COMPLETED') as completed"""


def prepare(runner):
    runner.call("/admin/accounts", {"userIds": list(range(1, ACCOUNTS + 1))})
    for product in runner.call("/api/v1/products/ranks")["products"]:
        runner.call(f"/admin/products/{product['id']}/restock", {"quantity": PIECES})


def prove(runner, began):
    """(good, text)"""
    books = runner.books
    there = books.one(SINCE.format(began))
    ordered = runner.count("orders")
    good, lines = compare(
        [
            ("charges", runner.count("charges"), there["charges"]),
            ("won charged", runner.count("charged_won"), there["won"]),
            ("orders", ordered, there["orders"]),
            ("orders completed", ordered, there["completed"]),
        ]
    )
    faults = books.faults()
    verdict = [f"  BROKEN: {fault}" for fault in faults] or [
        "  money is conserved, stock is exact, every order was settled once"
    ]
    return good and not faults, "\n".join(["proof", *lines, "", books.summary(), *verdict, ""])


def run(name):
    runner = Runner(name)
    prepare(runner)
    began = runner.books.one("select clock_timestamp() as now")["now"]
    kept = runner.k6()
    runner.books.settle()
    proven, proof = prove(runner, began)
    runner.report(proof)
    return kept, proven, runner


if __name__ == "__main__":
    script = sys.argv[1]
    sys.exit(main(lambda: run(script), LIMITS[script]))
