"""Traces: who is followed, what a collector gets of it, and that one which is away, slow or
unwilling costs spans and nothing else."""

import json
import subprocess
import threading
import time

import pytest
from api.collector import CLIENT, SERVER, Collector
from api.fake_service import FakeService, response
from api.h2_client import Client as H2Client
from api.name_server import NameServer
from onrush_local.host import wait_until

PATH = "/api/v1/coupons/1"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RECORDED = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
NOT_RECORDED = {"traceparent": f"00-{TRACE}-{SPAN}-00"}


@pytest.fixture
def coupon(world):
    with FakeService(world.port("coupon")) as service:
        yield service


@pytest.fixture
def collector(world):
    with Collector(world.port("collector")) as collector:
        yield collector


def start(world, ratio=0, **settings):
    url = f"http://127.0.0.1:{world.port('collector')}"
    own = {"ONRUSH_PASSES": "off", "ONRUSH_WORKERS": 1, "ONRUSH_OTLP_URL": url}
    world.start("gateway", **(own | {"ONRUSH_OTLP_RATIO": ratio} | settings))
    return world.client()


def until(ready, what="the spans"):
    wait_until(ready, 30, what)


def outcomes(client):
    """How many spans were sent, refused and dropped."""
    rows = client.metrics()
    return tuple(
        int(rows[f'onrush_trace_spans_total{{outcome="{name}"}}'])
        for name in ("sent", "refused", "dropped")
    )


def told(coupon):
    """The trace, the span and the flags that the service was told last."""
    version, trace, span, flags = coupon.requests[-1].header("traceparent").split("-")
    assert version == "00"
    return trace, span, flags


# --- who is followed ---------------------------------------------------------------------


def test_a_request_of_a_recorded_trace(world, coupon, collector):
    client = start(world)
    assert client.get(f"{PATH}?code=secret", headers=RECORDED).status == 200
    until(lambda: len(collector.spans) == 2)
    request, call = collector.spans

    assert (request.trace, request.parent, request.kind) == (TRACE, SPAN, SERVER)
    assert (request.flags, request.name) == (0x301, "GET /api/v1/coupons/{couponId}")
    assert request.attributes == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": PATH,
        "http.route": "/api/v1/coupons/{couponId}",
        "client.address": "127.0.0.1",
        "http.response.status_code": 200,
    }
    assert (call.kind, call.name, call.parent) == (CLIENT, "GET", request.id)
    assert call["onrush.upstream.answer_us"] * 1000 <= call.end - call.start
    assert call.attributes == {
        "http.request.method": "GET",
        "url.full": f"http://127.0.0.1:{coupon.listener.getsockname()[1]}/coupons/1",
        "server.address": "127.0.0.1",
        "server.port": coupon.listener.getsockname()[1],
        "onrush.upstream.name": "coupon",
        "onrush.upstream.tries": 1,
        "onrush.upstream.answer_us": call["onrush.upstream.answer_us"],
        "http.response.status_code": 200,
    }
    # The service's own spans hang on the call.
    assert told(coupon) == (TRACE, call.id, "01")
    names = {
        "service.name": "onrush-gateway",
        "service.version": request.resource["service.version"],
    }
    assert request.resource.items() >= names.items()
    assert len(request.resource["service.instance.id"]) == 36
    assert abs(time.time_ns() - request.end) < 60 * 10**9


def test_the_caller_decides(world, coupon, collector):
    client = start(world, ratio=1)
    client.get(PATH, headers=NOT_RECORDED)
    assert told(coupon) == (TRACE, SPAN, "00")
    coupon.behave = lambda _: response(500)
    client.get(PATH, headers=NOT_RECORDED)  # not even when it fails
    client.get(PATH)  # is recorded, and comes after them
    until(lambda: collector.spans)
    assert {span.trace for span in collector.spans} == {told(coupon)[0]}


def test_traces_that_begin_here(world, coupon, collector):
    client = start(world, ratio=0.5)
    flags = {}
    for _ in range(200):
        client.get(PATH)
        trace, _, flag = told(coupon)
        flags[trace] = flag
    recorded = {trace for trace, flag in flags.items() if flag == "01"}
    assert set(flags.values()) == {"00", "01"}
    until(lambda: len(collector.spans) >= 2 * len(recorded))
    requests = collector.of_kind(SERVER)
    assert {span.trace for span in requests} == recorded
    assert len(collector.spans) == 2 * len(requests) == 2 * len(recorded)
    assert all(span.parent is None and span.flags == 0x101 for span in requests)


def test_by_http_2_too(world, coupon, collector):
    start(world)
    with H2Client(world.port("gateway")) as client:
        fields = tuple(RECORDED.items())
        assert client.get(f"{PATH}?code=secret", "GET", *fields).status == 200
        assert client.get("/nothing", "BREW", *fields).status == 404
    until(lambda: len(collector.spans) == 3)
    request, call, other = collector.spans
    assert (request.trace, request.parent, request["url.path"]) == (TRACE, SPAN, PATH)
    assert told(coupon) == (TRACE, call.id, "01")
    assert other["http.request.method_original"] == "BREW"


def test_what_is_not_followed(world, coupon, collector):
    client = start(world)
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers=RECORDED).status == 200
    client.get(PATH)
    assert told(coupon)[2] == "00"
    client.raw(b"GET / HTTP/9.9\r\n\r\n")
    # A traceparent that is none is not taken over.
    client.get(PATH, headers={"traceparent": f"00-{TRACE}-{'0' * 16}-01"})
    assert told(coupon)[0] != TRACE
    client.get(PATH, headers=RECORDED)
    until(lambda: collector.spans)
    assert [span.trace for span in collector.spans] == [TRACE, TRACE]
    until(lambda: outcomes(client) == (2, 0, 0), "the count")


def test_without_a_collector_nothing_is_done(world, coupon):
    client = start(world, ONRUSH_OTLP_URL="")
    client.get(PATH, headers=RECORDED)
    assert told(coupon) == (TRACE, SPAN, "01")
    assert not [name for name in client.metrics() if "trace" in name]


# --- what is told of it ------------------------------------------------------------------


def ask_for_span(client, collector, path=PATH, method="GET", **headers):
    """The spans of one more request."""
    before = len(collector.spans)
    client.call(method, path, headers=RECORDED | headers)
    until(lambda: len(collector.spans) > before)
    return collector.spans[before:]


def test_failures(world, coupon, collector):
    client = start(world, ONRUSH_UPSTREAM_RESPONSE_MS=3000)
    coupon.behave = lambda _: response(404)
    request, call = ask_for_span(client, collector)
    assert (request.failed, call["error.type"]) == (False, "404")

    coupon.behave = lambda _: response(503)
    request, call = ask_for_span(client, collector)
    assert (request["error.type"], call["error.type"]) == ("503", "503")
    assert request["http.response.status_code"] == 503

    silent = threading.Event()
    coupon.behave = lambda _: silent.wait(30) and b""
    request, call = ask_for_span(client, collector)
    silent.set()
    assert request["http.response.status_code"] == 504
    assert request["error.type"] == call["error.type"]
    assert call["http.response.status_code"] is None

    coupon.behave = lambda _: b"nonsense\r\n\r\n"
    request, call = ask_for_span(client, collector)
    assert (request["http.response.status_code"], call["error.type"]) == (502, "BAD_GATEWAY")


def test_requests_that_are_not_passed_on(world, collector):
    client = start(world)
    (request,) = ask_for_span(client, collector, "/there/is/nothing")
    assert request["http.response.status_code"] == 404 and not request.failed
    assert (request.name, request["http.route"]) == ("GET", None)
    (request,) = ask_for_span(client, collector, "/nothing", method="BREW")
    assert (request.name, request["http.request.method"]) == ("HTTP", "_OTHER")
    assert request["http.request.method_original"] == "BREW"


def test_a_server_that_is_not_there(world, collector):
    """Each try is counted: two servers, neither of which listens."""
    servers = f"127.0.0.1:{world.port('none')}, 127.0.0.1:{world.port('nobody')}"
    client = start(world, ONRUSH_COUPON_URL=servers, ONRUSH_CHECK_MS=0)
    request, call = ask_for_span(client, collector)
    assert request["http.response.status_code"] == 503
    assert call["onrush.upstream.tries"] == 2
    assert request["error.type"] == call["error.type"]


def test_an_answer_in_pieces_ends_with_its_last(world, coupon, collector):
    client = start(world)
    body = b"x" * (1 << 20)
    coupon.behave = lambda _: response(200, body)
    request, call = ask_for_span(client, collector)
    assert call.end == request.end and not call.failed
    assert call.start + call["onrush.upstream.answer_us"] * 1000 <= call.end


# --- the way to the collector ------------------------------------------------------------


def test_batches(world, coupon, collector):
    client = start(world, ratio=1, ONRUSH_WORKERS=2)
    for _ in range(300):
        client.get(PATH)
    until(lambda: len(collector.spans) == 600)
    assert len({span.id for span in collector.spans}) == 600
    assert len(collector.batches) < 150
    until(lambda: outcomes(client) == (600, 0, 0), "the count")
    assert len({json.dumps(span.resource) for span in collector.spans}) == 1


def test_a_collector_that_comes_later(world, coupon):
    client = start(world)
    assert client.get(PATH, headers=RECORDED).status == 200
    warned = lambda: [r for r in world.logs("gateway") if "cannot be asked" in r["msg"]]  # noqa: E731
    until(warned, "the warning")
    assert client.get(PATH, headers=RECORDED).status == 200
    with Collector(world.port("collector")) as collector:
        until(lambda: len(collector.spans) == 4)
        until(lambda: outcomes(client) == (4, 0, 0), "the count")
    assert len(warned()) == 1


def test_a_collector_that_is_found_later_and_moves(world, coupon):
    port = world.port("collector")
    with NameServer(world.port("names")) as names:
        client = start(
            world,
            ONRUSH_OTLP_URL=f"http://otel.test:{port}",
            ONRUSH_NAME_SERVER=names.address,
            ONRUSH_LOOKUP_MS=100,
        )
        client.get(PATH, headers=RECORDED)
        for host, sent in (("127.0.0.1", 2), ("127.0.0.2", 4)):
            with Collector(port, host=host) as collector:
                names.hosts["otel.test"] = [host]
                if host == "127.0.0.2":
                    client.get(PATH, headers=RECORDED)
                until(lambda here=collector: len(here.spans) == 2)
                # It has its answer before the collector goes.
                until(lambda sent=sent: outcomes(client) == (sent, 0, 0), "the count")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_collector_that_has_too_much_to_do(world, coupon, collector, status):
    came = []

    def behave(number):
        came.append(time.monotonic())
        return (status, {"Retry-After": "2"}, b"") if number == 0 else (200, {}, b"")

    collector.behave = behave
    client = start(world)
    client.get(PATH, headers=RECORDED)
    until(lambda: collector.spans)
    assert collector.batches[0] == collector.batches[1]
    assert came[1] - came[0] >= 2  # it was asked to stay away for so long
    until(lambda: outcomes(client) == (2, 0, 0), "the count")


def test_what_a_collector_refuses_is_not_sent_again(world, coupon, collector):
    partly = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}
    answers = [(400, {}, b""), (200, {}, json.dumps(partly).encode()), (200, {}, b"")]
    collector.behave = lambda number: answers[number]
    client = start(world)
    for refused_and_sent in ((0, 2, 0), (1, 3, 0), (3, 3, 0)):
        client.get(PATH, headers=RECORDED)
        until(lambda want=refused_and_sent: outcomes(client) == want, "the count")
    assert len(set(collector.batches)) == len(collector.batches) == 3


def test_a_collector_that_hangs_costs_spans_only(world, coupon, collector):
    hang = threading.Event()
    collector.behave = lambda _: (hang.wait(60), (200, {}, b"{}"))[1]
    client = start(world)
    client.get(PATH, headers=RECORDED)
    until(lambda: collector.batches, "the first batch")
    path = "/nothing/" + "x" * 1900  # one span each
    requests = 0
    while outcomes(client)[2] == 0:
        assert client.get(path, headers=RECORDED).status == 404
        requests += 1
        assert requests < 500  # half a megabyte is all that is held
    assert client.get(PATH, headers=RECORDED).status == 200
    hang.set()
    until(lambda: sum(outcomes(client)) == 2 + requests + 2, "the count")
    sent, refused, dropped = outcomes(client)
    assert (refused, sent + dropped) == (0, requests + 4)
    assert dropped == 3 and len({span.id for span in collector.spans}) == sent


# --- the end -----------------------------------------------------------------------------


def test_a_drain_sends_what_is_there(world, coupon, collector):
    client = start(world, ratio=1, ONRUSH_WORKERS=2)
    for _ in range(20):
        client.get(PATH)
    world.stop("gateway")
    until(lambda: len(collector.spans) == 40)


def test_a_drain_does_not_wait_for_ever(world, coupon, collector):
    hang = threading.Event()
    collector.behave = lambda _: (hang.wait(60), (200, {}, b"{}"))[1]
    client = start(world, ONRUSH_DRAIN_MS=60000)
    client.get(PATH, headers=RECORDED)
    world.stop("gateway")
    assert not hang.is_set()
    until(lambda: len(collector.batches) == 1, "the batch")
    hang.set()


def test_a_drain_without_a_collector(world, coupon):
    client = start(world)
    client.get(PATH, headers=RECORDED)
    world.stop("gateway")


# --- settings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://127.0.0.1:4318", "does not begin with http://"),
        ("http://collector", "one host:port"),
    ],
)
def test_a_url_that_cannot_be_one_is_refused(world, url, why):
    result = subprocess.run(
        [world.engines.bin / "onrush-gateway", "--check"],
        env={"ONRUSH_OTLP_URL": url, "ONRUSH_PASSES": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "ONRUSH_OTLP_URL" in result.stdout + result.stderr
    assert why in result.stdout + result.stderr


def test_a_name_that_nobody_knows_yet_is_no_reason_not_to_start(world, coupon):
    client = start(world, ONRUSH_OTLP_URL="http://collector.invalid:4318")
    assert client.get(PATH, headers=RECORDED).status == 200
    said = [record["msg"] for record in world.logs("gateway")]
    assert [line for line in said if "trace collector" in line and "not found yet" in line]
