"""Our HTTP parser against h11 and llhttp, and against nginx and HAProxy.

Whatever both judges refuse, we refuse; whatever we accept, both understand as we do:
method, target, version, headers, body, and where the next request begins. That holds for
the published cases (http_cases.py) and for thousands of mutants of them, the same ones in
every run. Where a judge and we disagree for a reason, `excused` says so.

nginx and HAProxy forward what they understood: of what we accept, too, it must be the same.
They may refuse it, since much that RFC 9110 allows is their own choice; they accept more than
we do, and so are no judges of what we refuse.
"""

import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest
from api.http_cases import ACCEPT, CASES
from api.http_judges import INCOMPLETE, Refused, Request, ask_h11, ask_llhttp
from api.http_proxies import Proxy
from harness.engines import Ports

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = 50_000
PROXY_MUTANTS = 10_000  # of which we accept a tenth

# The methods that llhttp knows. It refuses all others, while RFC 9110, 9.1 lets anyone define
# one: to us it is a token that no route takes, which answers 405.
LLHTTP_METHODS = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|COPY|LOCK|MKCOL|MOVE|PROPFIND|PROPPATCH"
    rb"|SEARCH|UNLOCK|BIND|REBIND|UNBIND|ACL|REPORT|MKACTIVITY|CHECKOUT|MERGE|M-SEARCH|NOTIFY"
    rb"|SUBSCRIBE|UNSUBSCRIBE|PURGE|MKCALENDAR|LINK|UNLINK|SOURCE|QUERY)"
)


@pytest.fixture(scope="module")
def parser(variant):
    """Asks our parser: a list of requests in, what it understood out."""
    build = Path(os.environ.get("ONRUSH_TEST_BUILD", ROOT / "build")) / variant
    tool = build / "test/tools/http_parse_cli"
    subprocess.run(
        ["make", "-s", f"VARIANT={variant}", f"B={build}", str(tool)], cwd=ROOT, check=True
    )

    def ask(requests, piece=None):
        records = b"".join(b"%d\n%s" % (len(data), data) for data in requests)
        argv = [str(tool)] + ([str(piece)] if piece else [])
        done = subprocess.run(argv, input=records, stdout=subprocess.PIPE, check=True)
        answers = [_understood(json.loads(line)) for line in done.stdout.splitlines()]
        assert len(answers) == len(requests)
        return answers

    return ask


def _understood(answer):
    """INCOMPLETE, the status of a refusal, or a Request."""
    if answer["result"] == "more":
        return INCOMPLETE
    if answer["result"] == "bad":
        return answer["status"]
    text = bytes.fromhex
    headers = [(text(name).lower(), text(value)) for name, value in answer["headers"]]
    return Request(
        text(answer["method"]),
        text(answer["target"]),
        answer["minor"],
        headers,
        text(answer["body"]),
        answer["used"],
    )


def excused(data, ours, theirs):
    """Whether llhttp's disagreement with what we accepted is none. (h11 needs no excuse.)"""
    if isinstance(theirs, Refused):
        # Space around a value may be a tab (RFC 9110, 5.6.3); llhttp refuses one behind chunked.
        tab = "Transfer-Encoding" in theirs.why and re.search(rb"(?i)chunked *\t", data)
        method = "method" in theirs.why and not LLHTTP_METHODS.fullmatch(ours.method)
        return tab or method
    # With Upgrade and Connection: upgrade, llhttp lets a chunked request end with its head, and
    # its caller take over the connection. We ignore Upgrade and forward neither field.
    return (
        isinstance(theirs, Request)
        and any(name == b"upgrade" for name, _ in ours.headers)
        and theirs == ours._replace(body=b"", used=theirs.used)
    )


def _same(ours, theirs):
    """h11 writes the one transfer coding in lower case; nothing else may differ."""

    def plain(request):
        headers = [(n, v.lower() if n == b"transfer-encoding" else v) for n, v in request.headers]
        return request._replace(headers=headers)

    return isinstance(theirs, Request) and plain(ours) == plain(theirs)


def disagreement(data, ours):
    """A sentence about how we differ from the judges in a way we must not; None if not."""
    if isinstance(ours, Request):
        h11, llhttp = ask_h11(data), ask_llhttp(data)
        if not _same(ours, h11):
            return f"{data!r}\n we: {ours}\n h11: {h11}"
        if not _same(ours, llhttp) and not excused(data, ours, llhttp):
            return f"{data!r}\n we: {ours}\n llhttp: {llhttp}"
    # What is wrong in the last line is found, at the latest, when that is complete.
    elif ours == INCOMPLETE and data.endswith(b"\n"):
        h11, llhttp = ask_h11(data), ask_llhttp(data)
        if isinstance(h11, Refused) and isinstance(llhttp, Refused):
            return f"{data!r}\n we wait, both judges refuse: {h11}, {llhttp}"
    return None


def test_cases_get_their_status(parser):
    wrong = []
    for case, ours in zip(CASES, parser([c.data for c in CASES]), strict=True):
        got = ACCEPT if isinstance(ours, Request) else 408 if ours == INCOMPLETE else ours
        if got != case.expected:
            wrong.append(f"{case.id}: {got}, not {case.expected}: {case.data[:200]!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("piece", [1, 7])
def test_pieces_do_not_matter(parser, piece):
    requests = [c.data for c in CASES]
    whole, pieces = parser(requests), parser(requests, piece)
    for data, one, many in zip(requests, whole, pieces, strict=True):
        assert one == many, data


def test_cases_before_the_judges(parser):
    found = [
        f"{case.id}: {why}"
        for case, ours in zip(CASES, parser([c.data for c in CASES]), strict=True)
        if (why := disagreement(case.data, ours))
    ]
    assert not found, "\n".join(found)


def _mutant(rng, good, corpus):
    """A case, mostly a good one, with a few bytes changed, removed, repeated, or taken from
    another case."""
    data = bytearray(rng.choice(good if rng.random() < 0.7 else corpus))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.randint(1, 8))
        match rng.randrange(6):
            case 0:
                data[at:end] = b""
            case 1:
                data[at:at] = data[at:end]
            case 2:
                data[at:at] = bytes([rng.randrange(256)])
            case 3:
                data[at:at] = rng.choice(
                    [b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b",", b";", b"=", b'"']
                )
            case 4:
                data[at:end] = rng.choice(
                    [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"0", b"5", b"\xa0"]
                )
            case 5:
                other = rng.choice(corpus)
                data[at:] = other[rng.randrange(len(other)) :]
    return bytes(data)


def _mutants(seed, count):
    rng = random.Random(seed)
    small = [c for c in CASES if len(c.data) < 1000]
    corpus, good = [c.data for c in small], [c.data for c in small if c.expected == ACCEPT]
    return [_mutant(rng, good, corpus) for _ in range(count)]


def test_mutants_before_the_judges(parser):
    mutants = _mutants(9112, MUTANTS)
    answers = parser(mutants)
    found = [
        why
        for data, ours in zip(mutants, answers, strict=True)
        if (why := disagreement(data, ours))
    ]
    assert not found, f"{len(found)}:\n" + "\n".join(found[:20])
    accepted = sum(isinstance(ours, Request) for ours in answers)
    assert accepted > MUTANTS // 20, "the mutants are all refused: they show nothing"


# --- nginx and HAProxy ------------------------------------------------------------------


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def proxy(request, tmp_path_factory):
    with Proxy(request.param, tmp_path_factory.mktemp("judge"), Ports()) as started:
        yield started


def _in_a_row(parser, messages):
    """The requests in each message, one after the other, up to three."""
    found = [[] for _ in messages]
    rest = list(enumerate(messages))
    for _ in range(3):
        answers = parser([data for _, data in rest]) if rest else []
        pairs = zip(rest, answers, strict=True)
        rest = []
        for (number, data), ours in pairs:
            if isinstance(ours, Request):
                found[number].append((ours.method, ours.target, ours.body))
                if len(data) > ours.used:
                    rest.append((number, data[ours.used :]))
    return found


def _forwarded_otherwise(parser, proxy, messages):
    """Sentences about messages whose requests the proxy forwards as others than we see; and
    how many it forwarded."""
    wrong, count = [], 0
    for data, ours in zip(messages, _in_a_row(parser, messages), strict=True):
        theirs = proxy.ask(data) if ours else []
        count += len(theirs)
        if any(their != our for their, our in zip(theirs, ours, strict=False)):
            wrong.append(f"{data!r}\n we: {ours}\n {proxy.name}: {theirs}")
    return wrong, count


def test_cases_before_the_proxies(parser, proxy):
    wrong, count = _forwarded_otherwise(parser, proxy, [c.data for c in CASES])
    assert not wrong, "\n".join(wrong)
    assert count > 50, "the proxy refuses everything: it shows nothing"


def test_mutants_before_the_proxies(parser, proxy):
    wrong, count = _forwarded_otherwise(parser, proxy, _mutants(7230, PROXY_MUTANTS))
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])
    assert count > PROXY_MUTANTS // 100, "the proxy refuses everything: it shows nothing"
