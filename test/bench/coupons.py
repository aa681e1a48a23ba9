"""The rows about coupons: a request on an idle system, the flood, the bare chain without
HTTP beside it, and refusals of what is sold out.
"""

from onrush_local.host import Trouble
from report import Asked
from rig import SECONDS, WARMUP

CAMPAIGN, SOLD_OUT = 1001, 1002
IDLE_REQUESTS = 300
FEW = ("--requests", IDLE_REQUESTS, "--warmup", 0)
LONG = ("--seconds", SECONDS, "--warmup", WARMUP)


class Coupons:
    def __init__(self, rig):
        self.rig = rig
        self.next_user = 1  # users never ask twice
        self.granted = 0  # as the load generators saw it

    def _create(self, coupon, name, quantity):
        self.rig.call(
            "/admin/coupons",
            {
                "couponId": coupon,
                "name": name,
                "kind": "LIMITED",
                "quantity": quantity,
                "discountRate": 0.1,
                "open": True,
                "expiresAt": "2099-01-01T00:00:00Z",
            },
        )

    def _count(self, run):
        self.next_user += 100_000_000
        self.granted += run.result["granted"]
        return run

    def _http(self, name, connections, *arguments, coupon=CAMPAIGN):
        body = f'{{"userId":{{user}},"couponId":{coupon}}}'
        return self._count(
            self.rig.http(name, connections, "--body", body, *arguments, first_user=self.next_user)
        )

    def _chain(self, name, in_flight, *arguments):
        return self._count(
            self.rig.load(
                name,
                "onrush-bench-chain",
                "--coupon",
                CAMPAIGN,
                "--in-flight",
                in_flight,
                *arguments,
                self.rig.brokers,
                first_user=self.next_user,
            )
        )

    def run(self):
        self._create(CAMPAIGN, "bench", 1_000_000_000)
        self._create(SOLD_OUT, "bench, sold out", 1)
        self._http("warm-up", 16, "--seconds", 2)
        self.one = self._http("one request, idle", 1, *FEW)
        runs = [
            self.one,
            self._chain("bare chain, 1 in flight", 1, *FEW),
            self._http("coupons, 256 connections", 256),
            self._chain("bare chain, 256 in flight", 256, *LONG),
            self._chain("bare chain, 1000 in flight", 1000, *LONG),
        ]
        self.flood = runs[2]
        self._http("selling out", 1, "--requests", 2, "--warmup", 0, coupon=SOLD_OUT)
        self.sold_out = self._http("sold out, 256 connections", 256, coupon=SOLD_OUT)
        return [*runs, self.sold_out]

    def asked(self):
        return [
            Asked.at_most("one request on an idle system, p50", 6, self.one.ms("p50"), "ms"),
            Asked.at_least("durable coupons at 256 connections", 12000, self.flood.rate),
            Asked.at_most("their p99", 60, self.flood.ms("p99"), "ms"),
            Asked.at_least("sold-out refusals", 50000, self.sold_out.rate),
        ]

    def prove(self):
        """What PostgreSQL holds is right, and is what the load generators were told."""
        both = (CAMPAIGN, SOLD_OUT)
        report = self.rig.stack.onrush("verify", *map(str, both))
        issued = sum(self.rig.call(f"/api/v1/coupons/{c}")["issued"] for c in both)
        if issued != self.granted:
            raise Trouble(f"{self.granted} coupons were granted, but {issued} were issued.")
        return (
            f"{report.rstrip()}\n"
            f"{issued:,} coupons were granted by answers and issued in PostgreSQL."
        )
