"""The rows about accounts, products and orders. Each opens the accounts and products that
it uses, far from those of the demo, and the books are checked at the end.
"""

from onrush_local.host import Trouble
from report import Asked
from rig import SECONDS, WARMUP
from settling import watched

FIRST = 1_000_000  # of the bench's users and products
COUNT = 100_000
MONEY = 1_000_000_000  # of each account
STOCK = 1_000_000  # of each product but the one that everyone buys
ONE, PIECES = 2_000_000, 4000 * SECONDS  # that product: fewer than are ordered
RATE = 500  # orders a second of the steady row

OPEN = f"""
    with u as (select generate_series({FIRST}, {FIRST + COUNT - 1}) as id),
         b as (insert into orders.balances select id, {MONEY} from u
               on conflict do nothing returning user_id),
         t as (insert into orders.transfers
                 (transfer_id, debit, credit, amount, kind, balance)
               select gen_random_uuid(), 0, user_id, {MONEY}, 'OPENING', {MONEY} from b),
         p as (insert into orders.products (product_id, name, price, supplied, stock)
               select id, 'bench ' || id, 10, {STOCK}, {STOCK} from u
                union all select {ONE}, 'bench, the one', 10, {PIECES}, {PIECES}
               on conflict do nothing)
    select count(*) as n from b"""

SOLD = f"""
    select stock, (select coalesce(sum(quantity), 0) from orders.lines
                     join orders.orders using (order_id)
                    where product_id = {ONE} and status = 'COMPLETED') as sold
      from orders.products where product_id = {ONE}"""


class Shop:
    """What these rows share."""

    opened = False

    def __init__(self, rig):
        self.rig = rig

    def open(self):
        """Accounts and products, once for all rows."""
        if not Shop.opened:
            self.rig.books.execute(OPEN)
            Shop.opened = True

    def load(self, name, *arguments, connections=256):
        return self.rig.http(name, connections, "--users", COUNT, *arguments, first_user=FIRST)

    def order(self, name, product, *arguments, connections=256):
        """Orders of one piece; {user} as product means that each user buys another."""
        body = f'{{"userId":{{user}},"products":[{{"id":{product},"quantity":1}}]}}'
        sample = {"id": FIRST if product == "{user}" else product, "quantity": 1}
        path = ("--path", "/api/v1/orders", "--body", body)
        return watched(
            self.rig,
            lambda: self.load(name, *path, *arguments, connections=connections),
            {"userId": FIRST, "products": [sample]},
            WARMUP,
        )

    def prove(self):
        """Money is conserved, stock exact, each order settled once."""
        self.rig.books.settle()
        if faults := self.rig.books.faults():
            raise Trouble("The books are wrong: " + "; ".join(faults) + ".")
        return "The books are right:\n" + self.rig.books.summary()


class Charges(Shop):
    def run(self):
        self.open()
        body = ("--body", '{"amount":10000}')
        before = self._won()
        path = ("--path", "/api/v1/users/{user}/balance/charge")
        self.many = self.load("charges, 256 connections", *path, *body)
        path = ("--path", f"/api/v1/users/{FIRST}/balance/charge")
        self.one = self.load("charges of one user, 256", *path, *body)
        told = sum(run.result["granted"] for run in (self.many, self.one)) * 10000
        if told != (there := self._won() - before):
            raise Trouble(f"{told} won were charged by answers, but {there} in PostgreSQL.")
        return [self.many, self.one]

    def _won(self):
        query = "select coalesce(sum(amount), 0) as n from orders.transfers where kind = 'CHARGE'"
        return self.rig.books.one(query)["n"]

    def asked(self):
        return [
            Asked.at_least("charges, each of another user", 15000, self.many.rate),
            Asked.at_least("charges, all of one user", 8000, self.one.rate),
        ]


class Ranks(Shop):
    def run(self):
        path = ("--method", "GET", "--path", "/api/v1/products/ranks")
        self.ranks = self.load("ranks, 256 connections", *path)
        return [self.ranks]

    def asked(self):
        return [Asked.at_least("ranks", 50000, self.ranks.rate)]


class Orders(Shop):
    def run(self):
        self.open()
        self.orders = self.order("orders, 256 connections", "{user}")
        return [self.orders]

    def asked(self):
        settled = self.orders.settled
        return [
            Asked.at_least("orders at 256 connections", 8000, self.orders.rate),
            Asked.at_least("of them settled meanwhile", 8000, settled.rate),
            Asked.at_most("from order to COMPLETED, p99", 250, settled.p99, "ms"),
        ]


class OneProduct(Shop):
    def run(self):
        self.open()
        self.orders = self.order("one product, 256 connections", ONE)
        self.sold = self.rig.books.one(SOLD)
        return [self.orders]

    def asked(self):
        exact = self.sold == {"stock": 0, "sold": PIECES}
        return [
            Asked.at_least("orders of one product", 8000, self.orders.rate),
            Asked("pieces of it sold", f"= {PIECES:,}", self.sold["sold"], "", exact),
        ]


class Steady(Shop):
    def run(self):
        self.open()
        name = f"{RATE} orders/s"
        self.orders = self.order(name, "{user}", "--rate", RATE, connections=64)
        return [self.orders]

    def asked(self):
        settled = self.orders.settled
        return [Asked.at_most(f"order to COMPLETED at {RATE}/s, p99", 100, settled.p99, "ms")]
