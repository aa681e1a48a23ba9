"""What the tests of orders share: putting accounts, products and orders into the database as
the order service would, and the truths that always hold.
"""

import json
import uuid
from datetime import UTC, datetime

TOPIC, GROUP = "PAYMENT_REQUESTED", "PAYMENT"


def account(world, user, amount):
    """An account with this balance, as if it had been opened with it."""
    world.sql(  # one statement, because a keeper may look
        "with opened as (insert into orders.balances values (%(user)s, %(amount)s))"
        " insert into orders.transfers (transfer_id, debit, credit, amount, kind, balance)"
        " select gen_random_uuid(), 0, %(user)s, %(amount)s, 'OPENING', %(amount)s"
        " where %(amount)s > 0",
        {"user": user, "amount": amount},
    )


def product(world, product_id, price=1000, stock=10):
    world.sql(
        "insert into orders.products (product_id, name, price, supplied, stock)"
        " values (%s, %s, %s, %s, %s)",
        [product_id, f"product {product_id}", price, stock, stock],
    )


def order(world, user, products, **more):
    """A PENDING order of {product: quantity}; `more` are columns. Gives its id."""
    prices = dict(world.sql("select product_id, price from orders.products"))
    columns = {
        "user_id": user,
        "request_id": uuid.uuid4(),
        "request_hash": 0,
        "amount": sum(prices[p] * n for p, n in products.items()),
    } | more
    ((order_id,),) = world.sql(
        f"insert into orders.orders (order_id, {', '.join(columns)}) values"
        f" (nextval('orders.order_ids'), {', '.join(['%s'] * len(columns))})"
        " returning order_id",
        list(columns.values()),
    )
    for p, n in products.items():
        values = [order_id, p, n, prices[p]]
        world.sql("insert into orders.lines values (%s, %s, %s, %s)", values)
    world.sql("insert into orders.unsettled values (%s)", [order_id])
    return order_id


def payment_requested(order_id, user=1, **payload):
    """The event, as the order service writes it."""
    return json.dumps(
        {
            "eventId": str(uuid.uuid4()),
            "type": TOPIC,
            "occurredAt": datetime.now(UTC).isoformat(),
            "payload": {"kind": "ORDER", "orderId": order_id, "userId": user} | payload,
        }
    )


def status(world, order_id):
    """(status, reason)"""
    query = "select status, reason from orders.orders where order_id = %s"
    return world.sql(query, [order_id])[0]


def balance(world, user):
    return world.sql("select amount from orders.balances where user_id = %s", [user])[0][0]


def stock(world, product_id):
    query = "select stock from orders.products where product_id = %s"
    return world.sql(query, [product_id])[0][0]


def outbox(world, topic):
    """All records of the rows for a topic, in the order of the rows."""
    rows = world.sql(
        "select records from orders.outbox where topic = %s order by batch_id", [topic]
    )
    return [record for (records,) in rows for record in records]


# What is never true: each query must find nothing.
IMPOSSIBLE = {
    "a balance that is not the sum of its transfers": """
        select user_id, amount, moved from orders.balances
          left join lateral (
            select coalesce(sum(case when credit = user_id then t.amount else -t.amount end), 0)
              as moved from orders.transfers t where user_id in (credit, debit)) t on true
         where amount <> moved""",
    "stock that is not what completed orders left": """
        select p.product_id, supplied, stock, sold from orders.products p
          left join lateral (
            select coalesce(sum(quantity), 0) as sold from orders.lines l
              join orders.orders o using (order_id)
             where l.product_id = p.product_id and status = 'COMPLETED') s on true
         where supplied - stock <> sold""",
    "sales of a day that are not those of its completed orders": """
        select * from (
          select (settled_at at time zone 'UTC')::date as day, product_id,
                 sum(quantity) as sold from orders.orders join orders.lines using (order_id)
           where status = 'COMPLETED' group by 1, 2) o
          full join (select * from orders.daily_sales where sold > 0) d
         using (day, product_id)
         where o.sold is distinct from d.sold""",
    "an order that was not paid once, with what it costs": """
        select o.order_id, o.status, o.amount - o.discount, paid from orders.orders o
          left join (select order_id, array_agg(amount) as paid from orders.transfers
                      where kind = 'PAYMENT' group by 1) t using (order_id)
         where paid is distinct from case
           when status = 'COMPLETED' and o.amount > o.discount then array[o.amount - o.discount]
           when status = 'CANCELLED' and paid is not null then array[o.amount - o.discount] end""",
    "a payment that was not given back when its order was cancelled, or given back twice": """
        select o.order_id, o.status, paid, refunds from orders.orders o
          left join (select order_id, sum(amount) filter (where kind = 'PAYMENT') as paid,
                            array_agg(amount) filter (where kind = 'REFUND') as refunds
                       from orders.transfers where order_id is not null group by 1) t
         using (order_id)
         where refunds is distinct from
               case when status = 'CANCELLED' and paid is not null then array[paid::bigint] end""",
    "an order that is settled and waits, or neither": """
        select order_id, status, u.order_id is not null from orders.orders
          left join orders.unsettled u using (order_id)
         where (status = 'PENDING') <> (u.order_id is not null)""",
    "an order whose time or reason does not fit its status": """
        select order_id, status, reason, settled_at from orders.orders
         where (status = 'PENDING') <> (settled_at is null)
            or (status = 'FAILED') <> (reason is not null)""",
}


def check_truths(world):
    """Money, stock and orders are as they must be at every instant."""
    for what, query in IMPOSSIBLE.items():
        found = world.sql(query)
        assert found == [], f"{what}: {found[:5]} ({len(found)} in all)"
