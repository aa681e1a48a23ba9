"""Whether the books are right: money, stock and orders as PostgreSQL holds them, asked for
with psql, so with nothing of ours between the question and the answer.

Every truth is one query over whole tables; all are asked in one statement, which sees one
moment.
"""

import json
import time

from .host import Trouble, run, which
from .postgres import BIN

# What must be none: what is wrong -> a query that gives the wrong ones.
WRONG = {
    "balances that are not the sum of their transfers": """
        select user_id from orders.balances full join (
            select user_id, sum(amount) as moved from (
                select credit as user_id, amount from orders.transfers where credit > 0
                union all
                select debit, -amount from orders.transfers where debit > 0) both_ways
             group by user_id) m using (user_id)
         where coalesce(amount, 0) <> coalesce(moved, 0)""",
    "balances below zero": "select from orders.balances where amount < 0",
    "products whose stock is not what completed orders left": """
        select product_id from orders.products left join (
            select product_id, sum(quantity) as sold from orders.lines
              join orders.orders using (order_id) where status = 'COMPLETED'
             group by product_id) s using (product_id)
         where supplied - stock <> coalesce(sold, 0)""",
    "completed orders that were not paid once, with what they cost": """
        select order_id from orders.orders left join (
            select order_id, count(*) as times, sum(amount) as paid from orders.transfers
             where kind = 'PAYMENT' group by order_id) p using (order_id)
         where status = 'COMPLETED' and amount > discount
           and (times is distinct from 1 or paid is distinct from amount - discount)""",
    "failed orders that were paid": """
        select order_id from orders.orders join orders.transfers using (order_id)
         where status = 'FAILED'""",
    "orders that are settled and wait, or neither": """
        select order_id from orders.orders full join orders.unsettled u using (order_id)
         where (status is not distinct from 'PENDING') <> (u.order_id is not null)""",
    "sold seats that are not of one owned reservation which names them": """
        select seat_id from reservation.seats s left join reservation.reservations r
            on r.reservation_id = s.reservation_id and r.status = 'OWNED'
           and s.seat_id = any(r.seat_ids)
         where s.held_until = 'infinity' and r.reservation_id is null""",
    "owned reservations without all their seats, or not paid once, with what they cost": """
        select r.reservation_id from reservation.reservations r
         where status = 'OWNED' and (cardinality(seat_ids) <> (
                 select count(*) from reservation.seats s
                  where s.reservation_id = r.reservation_id and s.held_until = 'infinity')
            or (select array_agg(p.amount) from reservation.payments p
                 where p.reservation_id = r.reservation_id and p.status = 'COMPLETED')
               is distinct from array[amount])""",
    "sums of seat payments that are not what was moved for seats": """
        select 1 where
            (select coalesce(sum(amount), 0) from reservation.payments
              where status = 'COMPLETED') <>
            (select coalesce(sum(case kind when 'PAYMENT' then amount else -amount end), 0)
               from orders.transfers
              where kind in ('PAYMENT', 'REFUND') and order_id is null)""",
}

WAITING = """
    select (select count(*) from orders.unsettled) +
           (select count(*) from reservation.payments where status = 'PENDING') as n"""


class Books:
    """Of the database of a stack; `settings` as in its settings file."""

    def __init__(self, settings):
        self.dsn = settings["ONRUSH_PG_DSN"]

    def execute(self, sql):
        """Runs any SQL; what psql prints."""
        return run(
            [which("psql", BIN), "-XAtq", "-v", "ON_ERROR_STOP=1", self.dsn],
            "PostgreSQL refused the SQL",
            input=sql,
        )

    def ask(self, query):
        """The rows of a query, as dicts."""
        return json.loads(self.execute(f"select coalesce(json_agg(q), '[]') from ({query}) q"))

    def one(self, query):
        """The only row."""
        return self.ask(query)[0]

    def settle(self, seconds=30):
        """Waits until neither orders nor seats wait for their payment."""
        end = time.monotonic() + seconds
        while waiting := self.one(WAITING)["n"]:
            if time.monotonic() > end:
                raise Trouble(f"{waiting} payments were still not settled after {seconds} s.")
            time.sleep(0.05)

    def faults(self):
        """Sentences for people; none when all is as it must be."""
        counts = (
            f"select '{what}' as what, count(*) as n from ({query}) w"
            for what, query in WRONG.items()
        )
        rows = self.ask(" union all ".join(counts))
        return [f"{row['n']} {row['what']}" for row in rows if row["n"]]

    def summary(self):
        """What there is, as lines for people."""
        row = self.one("""
            select (select count(*) from orders.transfers) as transfers,
                   (select sum(amount) from orders.balances) as money,
                   (select count(*) from orders.orders) as orders,
                   (select count(*) from orders.orders where status = 'COMPLETED') as paid,
                   (select count(*) from reservation.reservations) as reservations,
                   (select count(*) from reservation.seats
                     where held_until = 'infinity') as seats""")
        return (
            f"  transfers {row['transfers']:,}, balances {row['money'] or 0:,} won in all,"
            f" orders {row['orders']:,}, of them completed {row['paid']:,},\n"
            f"  reservations {row['reservations']:,}, seats sold {row['seats']:,}"
        )
