#!/usr/bin/env python3
"""make peak: the coupon peak against the local stack, then the proof.

Begins demo campaign 1 anew, runs coupon_peak.js, has `onrush verify` check the whole
campaign, and compares what the clients were granted with what was issued. SCALE=0.1 makes
it shorter.
"""

import sys

from runner import Runner, Trouble, compare, main

COUPON = 1


def prove(runner):
    """(good, text): what the database says."""
    granted = runner.count("http_reqs") - runner.values("http_req_failed")["passes"]
    issued = runner.call(f"/api/v1/coupons/{COUPON}")["issued"]
    good, lines = compare([("coupons granted", granted, issued)])
    try:
        report = runner.stack.onrush("verify", str(COUPON))
    except Trouble as trouble:
        good, report = False, str(trouble)
    return good, "\n".join(["proof", *lines, "", report.rstrip(), ""])


def run():
    runner = Runner("coupon_peak")
    runner.stack.onrush("seed", "--reset", str(COUPON))
    kept = runner.k6(COUPON_ID=str(COUPON))
    proven, proof = prove(runner)
    runner.report(proof)
    return kept, proven, runner


if __name__ == "__main__":
    sys.exit(main(run, "P99_MS=100 make peak"))
