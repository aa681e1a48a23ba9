"""Rankings as Redis has them, against the truth. A payment-worker tells Redis once, in passing:
what it was too slow for comes with the product's next sale.
"""

import time

TELLING_S = 1  # more than enough when Redis was told


def sold(world):
    """{(day, product): pieces}, as PostgreSQL has it."""
    query = "select to_char(day, 'YYYYMMDD'), product_id, sold from orders.daily_sales"
    return {(day, product): pieces for day, product, pieces in world.sql(query)}


def ranked(world):
    """The same, as Redis has it."""
    redis = world.redis_client()
    return {
        (key.rpartition(":")[2], int(product)): pieces
        for key in redis.keys("rank:sell:*")
        for product, pieces in redis.zrange(key, 0, -1, withscores=True)
    }


def was_told(world, besides=()):
    """Whether Redis has the truth, or has it soon; but for some that are known to be wrong."""
    end = time.monotonic() + TELLING_S
    while ranked(world) != sold(world) | dict(besides):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
