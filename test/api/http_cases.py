"""Requests that implementations of HTTP/1.1 disagree about, and what Onrush says to them.

The ids beginning with SMUG, COMP, MAL and RFC, or with these behind the name of a table, are
those of Http11Probe's suites. GARDEN-S and -T number the server and transducer bugs in the
HTTP Garden's list, PORTSWIGGER names the desync papers. The others are our own, at least one
for every rule in http_parse.h. The bytes are ours throughout.

What the judges make of them is test_http_differential.py's business; the same requests go
over sockets to the real servers elsewhere.
"""

from api import http_cases_body, http_cases_head
from api.http_case import ACCEPT, Case

__all__ = ["ACCEPT", "CASES", "Case"]

CASES = [*http_cases_head.CASES, *http_cases_body.CASES]

assert len({case.id for case in CASES}) == len(CASES), "the ids of cases must be unique"
