"""docs/api/openapi.yaml and asyncapi.yaml: valid, complete, and true of the programs that
run.
"""

import json
import re
from pathlib import Path

import pytest
from api.coupons import instant, wait_until
from api.description import ROOT, AsyncApi, Judge, OpenApi, load, walk
from api.kafka_log import Log
from api.keepers import metric
from api.lines import patient
from jsonschema import Draft7Validator, Draft202012Validator
from openapi_spec_validator import validate

SCHEMAS = Path(__file__).parent / "schemas"
PROGRAMS = (
    "coupon-publisher",
    "payment-worker",
    "coupon",
    "order",
    "reservation",
    "keeper",
    "queue",
    "gateway",
)
# Of every program, and not in the gateway's table.
OWN = {("GET", "/healthz"), ("GET", "/readyz")}
# Of a record that cannot be read, never of a request.
NEVER_TOLD = {"OK", "UNDECODABLE"}
OPERATOR = [{"operatorKey": []}]
HUGE = 2**53 + 3  # an id that only a string can tell exactly


def table(path, row):
    """The rows X(…) of a table in C."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / path).read_text(encoding="utf-8"), flags=re.S)
    return re.findall(row, text)


def routes():
    return json.loads((ROOT / "deploy/gateway/routes.json").read_text(encoding="utf-8"))["routes"]


def served():
    """(method, path, takes a body) of the routes whose service there is."""
    assert len(routes()) > 30
    return {
        (row["method"], row["path"], row["method"] in ("POST", "PUT", "PATCH"))
        for row in routes()
        if (ROOT / "services" / row["service"] / "main.c").exists()
    }


def outcomes():
    """code -> (status, sentence) of err.def."""
    rows = table("common/base/err.def", r'X\(\w+, (\d+), "(\w+)", \w+, \w+,\s*"([^"]*)"\)')
    told = {code: (int(status), text) for status, code, text in rows}
    assert len(told) > 40
    return {code: row for code, row in told.items() if code not in NEVER_TOLD}


# --- the documents ---------------------------------------------------------------------


def test_openapi_is_valid():
    validate(load("openapi.yaml"))


def test_asyncapi_is_valid():
    schema = json.loads((SCHEMAS / "asyncapi-3.0.0.json").read_text(encoding="utf-8"))
    problems = [
        f"{'.'.join(map(str, e.absolute_path))}: {e.message}"
        for e in Draft7Validator(schema).iter_errors(load("asyncapi.yaml"))
    ]
    assert problems == []


@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
def test_references_lead_somewhere(name):
    document = load(name)
    for at, node in walk(document):
        if isinstance(node.get("$ref"), str):
            target = document
            for key in node["$ref"].removeprefix("#/").split("/"):
                assert key in target, f"{at}: {node['$ref']}"
                target = target[key]


def test_examples_fit_their_schemas():
    document = load("openapi.yaml")
    judge = Judge(document, Draft202012Validator)
    examples = 0
    for at, node in walk(document):
        if "example" in node and "schema" in node:
            judge.check(node["example"], (*at, "schema"), "/".join(map(str, at)))
            examples += 1
    events = AsyncApi()
    for name, message in events.document["components"]["messages"].items():
        for example in message.get("examples", []):
            place = ("components", "messages", name, "payload")
            events.judge.check(example["payload"], place, name)
            examples += 1
    assert examples > 30


def test_every_served_route_is_described_and_no_other():
    paths = load("openapi.yaml")["paths"]
    described = {
        (method.upper(), path, "requestBody" in operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    routes = served()
    assert {d[:2] for d in described} == {r[:2] for r in routes} | OWN
    without_body = {(method, path) for method, path, body in routes if not body}
    assert not [d for d in described if d[2] and d[:2] in without_body]


def test_calls_say_what_they_ask_for():
    """The operator's key, a pass or a token where the gateway's table says so, or nothing."""
    guarded, personal = (
        {(row["method"].lower(), row["path"]) for row in routes() if row.get(member) == value}
        for member, value in (("pass", True), ("identity", "user"))
    )
    assert len(guarded) > 3 and guarded < personal
    for path, methods in load("openapi.yaml")["paths"].items():
        for method, operation in methods.items():
            expected = None
            if path.startswith("/admin/"):
                expected = [{"operatorKey": []}]
            if (method, path) in personal:  # where ONRUSH_IDENTITY is on
                expected = [{"token": []}, {}]
            if (method, path) in guarded:
                expected = [{"pass": []}, {"token": [], "passField": []}]
                if method == "get":  # a browser may show it in a cookie
                    expected.insert(1, {"passCookie": []})
            assert operation.get("security") == expected, path


def test_every_code_is_listed_with_its_status_and_sentence():
    listed = load("openapi.yaml")["components"]["schemas"]["ErrorCode"]["oneOf"]
    described = {row["const"]: row["description"] for row in listed}
    assert described == {code: f"{status}. {text}" for code, (status, text) in outcomes().items()}


def test_answers_list_codes_of_their_status():
    document = load("openapi.yaml")
    told = outcomes()
    answered = set()
    for name, schema in document["components"]["schemas"].items():
        if codes := schema.get("properties", {}).get("error", {}).get("enum"):
            status = schema["properties"]["code"].get("const")
            assert status is None or {told[c][0] for c in codes} == {status}, name
            answered |= set(codes)
    reasons = set(document["components"]["schemas"]["OrderReason"]["enum"])
    assert answered | reasons == set(told)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                name = response["$ref"].rpartition("/")[2]
                schema = document["components"]["schemas"].get(name, {})
                code = schema.get("properties", {}).get("code", {}).get("const")
                assert code is None or str(code) == status, f"{path}: {status} is {name}"


def test_reasons_are_the_same_for_clients_and_in_events():
    reasons = load("openapi.yaml")["components"]["schemas"]["OrderReason"]["enum"]
    failed = load("asyncapi.yaml")["components"]["schemas"]["FailedOrder"]
    assert failed["properties"]["reason"]["enum"] == reasons


def test_every_topic_is_described_and_no_other(world):
    topics = {topic.removeprefix(world.prefix) for topic in world.topics()}
    assert set(load("asyncapi.yaml")["channels"]) == topics


# --- the programs ----------------------------------------------------------------------

# The keeper looks at the books once, before they are written in here, and then in ten minutes,
# the most that the gateway takes, whose checks have a setting of the same name.
CHECKED_ONCE = {"ONRUSH_CHECK_MS": 600_000}


def coupons(api):
    """A campaign's life, and every way to look at it."""
    wish = {
        "couponId": 1,
        "name": "described",
        "quantity": 3,
        "discountRate": 0.25,
        "opensAt": instant(days=-1),
        "closesAt": instant(days=1),
        "expiresAt": instant(days=7),
    }
    api.call("createCampaign", wish)
    api.call("createCampaign", wish, expect="CAMPAIGN_EXISTS")
    api.call("createCampaign", {"couponId": 2}, expect="BAD_PARAMETER")
    api.call("issueCoupon", {"userId": 1, "couponId": 1}, expect="COUPON_NOT_OPEN")
    api.call("openCampaign", couponId=1)
    more = {"couponId": 2, "name": "for all", "kind": "UNLIMITED", "open": True}
    api.call("createCampaign", more | {"expiresAt": instant(days=7)})
    api.call("listCampaigns")

    issued = api.call("issueCoupon", {"userId": 1, "couponId": 1}, key="a")
    again = api.call("issueCoupon", {"userId": 1, "couponId": 1}, key="a")
    assert again.headers["idempotent-replayed"] == "true"
    api.call("issueCoupon", {"userId": 1, "couponId": 2}, expect="IDEMPOTENCY_KEY_REUSED", key="a")
    api.call("issueCoupon", {"userId": 1, "couponId": 1}, expect="COUPON_ALREADY_ISSUED")
    api.call("issueCoupon", {"userId": 1, "couponId": 9}, expect="COUPON_NOT_FOUND")
    api.call("issueCoupon", {"userId": 0, "couponId": 1}, expect="BAD_PARAMETER")
    api.call("publishCoupon", {"couponId": 1}, userId=str(HUGE))
    api.call("publishCoupon", {"couponId": 1}, userId=2)
    api.call("publishCoupon", {"couponId": 1}, expect="COUPON_SOLD_OUT", userId=3)
    request = issued.data["receipt"]["requestId"]
    api.call("readRequest", couponId=1, requestId=request)
    api.call("readRequest", couponId=2, requestId=request, expect="NOT_FOUND")
    api.call("readRequest", couponId=1, requestId="x", expect="BAD_PARAMETER")
    unknown = request[:-4] + "ffff"
    later = api.call("readRequest", couponId=1, requestId=unknown)
    assert later.status == 202

    api.call("readCampaign", couponId=1)
    api.call("readCampaign", couponId=9, expect="COUPON_NOT_FOUND")
    api.call("listCoupons", userId=1)
    api.call("readReceiptKey")
    api.call("restockCampaign", {"quantity": 5}, key="r", couponId=1)
    api.call("restockCampaign", {"quantity": 5}, expect="CAMPAIGN_STATE_CONFLICT", couponId=2)
    api.call("restockCampaign", {"quantity": 5}, expect="COUPON_NOT_FOUND", couponId=9)
    api.call("closeCampaign", couponId=2)
    api.call("closeCampaign", couponId=9, expect="COUPON_NOT_FOUND")


def products(api):
    mug = {"id": 7, "name": "Mug", "price": 1000, "stock": 5}
    api.call("createProduct", mug)
    api.call("createProduct", mug, expect="PRODUCT_EXISTS")
    api.call("createProduct", mug | {"price": -1}, expect="BAD_PARAMETER")
    api.call("createProduct", mug | {"id": 8})
    api.call("createProduct", mug | {"id": str(HUGE)})
    api.call("restockProduct", {"quantity": 5}, key="r", productId=7)
    again = api.call("restockProduct", {"quantity": 5}, key="r", productId=7)
    assert again.headers["idempotent-replayed"] == "true"
    api.call(
        "restockProduct", {"quantity": 6}, expect="IDEMPOTENCY_KEY_REUSED", key="r", productId=7
    )
    api.call("stopProduct", productId=8)
    api.call("sellProduct", productId=HUGE)
    api.call("priceProduct", {"price": 2000}, productId=7)
    for name, body in {
        "restockProduct": {"quantity": 1},
        "stopProduct": None,
        "sellProduct": None,
        "priceProduct": {"price": 1},
        "readSuppliedProduct": None,
        "readProduct": None,
    }.items():
        api.call(name, body, expect="PRODUCT_NOT_FOUND", productId=9)
        api.call(name, body, expect="BAD_PARAMETER", productId="x")
    api.call("readSuppliedProduct", productId=7)
    api.call("readProduct", productId=str(HUGE))


def balances(api, world):
    api.call("openAccounts", {"userIds": [1, 2, 3, str(HUGE)]})
    api.call("openAccounts", {"userIds": []}, expect="BAD_PARAMETER")
    api.call("chargeBalance", {"amount": 10000}, key="c", userId=1)
    again = api.call("chargeBalance", {"amount": 10000}, key="c", userId=1)
    assert again.headers["idempotent-replayed"] == "true"
    api.call("chargeBalance", {"amount": 1}, expect="IDEMPOTENCY_KEY_REUSED", key="c", userId=1)
    api.call("chargeBalance", {"amount": 1}, expect="USER_NOT_FOUND", userId=9)
    api.call("chargeBalance", {"amount": 0.5}, expect="BAD_PARAMETER", userId=1)
    api.call("chargePoints", {"userId": 2, "amount": 1000})
    api.call("chargePoints", b"{", expect="BAD_JSON")
    wait_until(lambda: metric(world, 'onrush_keeper_runs_total{job="checks"}') == 1)
    world.sql("update orders.balances set amount = 1000000000000000 where user_id = 3")
    api.call("chargePoints", {"userId": 3, "amount": 1}, expect="BALANCE_LIMIT")
    api.call("readBalance", userId=1)
    api.call("readPoints", userId=HUGE)
    api.call("readPoints", userId=9, expect="USER_NOT_FOUND")
    api.call("readBalance", userId=-1, expect="BAD_PARAMETER")


def settled(api, order_id):
    """The order when it is not PENDING any more."""
    wait_until(lambda: api.call("readOrder", orderId=order_id).data["status"] != "PENDING")
    return api.call("readOrder", orderId=order_id).data


def orders(api):
    wish = {"userId": 1, "products": [{"id": 7, "quantity": 2}], "couponId": 1}
    placed = api.call("placeOrder", wish, key="o")
    again = api.call("placeOrder", wish, key="o")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.data["orderId"] == placed.data["orderId"]
    changed = wish | {"products": [{"id": 7, "quantity": 1}]}
    api.call("placeOrder", changed, expect="IDEMPOTENCY_KEY_REUSED", key="o")
    api.call("placeOrder", wish, expect="COUPON_USED")
    api.call("placeOrder", wish | {"userId": 3}, expect="COUPON_NOT_OWNED")
    api.call("placeOrder", wish | {"couponId": 9}, expect="COUPON_NOT_FOUND")
    stopped = {"userId": 1, "products": [{"id": 8, "quantity": 1}]}
    api.call("placeOrder", stopped, expect="PRODUCT_NOT_FOR_SALE")
    unknown = {"userId": 1, "products": [{"id": 9, "quantity": 1}]}
    api.call("placeOrder", unknown, expect="PRODUCT_NOT_FOUND")
    api.call("placeOrder", {"userId": 1, "products": []}, expect="BAD_PARAMETER")

    paid = settled(api, placed.data["orderId"])
    assert (paid["status"], paid["totalAmount"], paid["couponRank"]) == ("COMPLETED", 3000, 1)
    poor = api.call("placeOrder", {"userId": 2, "products": [{"id": 7, "quantity": 1}]})
    failed = settled(api, poor.data["orderId"])
    assert (failed["status"], failed["reason"]) == ("FAILED", "INSUFFICIENT_BALANCE")
    for name in ("readRanks", "readRanksV0", "readRanksTwice"):
        api.call(name)

    cancelled = {"orderId": paid["orderId"]}
    api.call("cancelOrder", {"userId": 2}, expect="ORDER_NOT_FOUND", **cancelled)
    api.call("cancelOrder", {"userId": 1}, key="x", **cancelled)
    again = api.call("cancelOrder", key="x", **cancelled)
    assert again.headers["idempotent-replayed"] == "true"
    api.call("cancelOrder", expect="ORDER_STATE_CONFLICT", **cancelled)
    api.call("cancelOrder", expect="ORDER_STATE_CONFLICT", orderId=failed["orderId"])
    api.call("cancelOrder", expect="BAD_PARAMETER", orderId="x")
    api.call("readOrder", expect="ORDER_NOT_FOUND", orderId=1)
    api.call("readOrder", expect="BAD_PARAMETER", orderId="x")


def concerts(api):
    for user in (2, str(HUGE)):
        api.enter(user)
    api.call("createConcert", {"id": 1, "name": "Spring", "perUserLimit": 3})
    api.call("createConcert", {"id": str(HUGE), "name": "Autumn"})
    api.call("createConcert", {"id": 3, "name": "Winter", "line": 7})
    api.call("createConcert", {"id": 1, "name": "Again"}, expect="CONCERT_EXISTS")
    api.call("createConcert", {"id": 2, "name": ""}, expect="BAD_PARAMETER")
    date = {"id": 11, "date": instant(days=30)}
    api.call("createDate", date, concertId=1)
    api.call("createDate", date, expect="CONCERT_EXISTS", concertId=1)
    api.call("createDate", date, expect="CONCERT_NOT_FOUND", concertId=9)
    api.call("createDate", date | {"id": str(HUGE)}, concertId=str(HUGE))
    seats = {"firstSeatId": 101, "count": 4, "price": 1000}
    api.call("createSeats", seats, optionId=11)
    api.call("createSeats", seats, expect="CONCERT_EXISTS", optionId=11)
    api.call("createSeats", seats, expect="DATE_NOT_FOUND", optionId=9)
    huge = seats | {"firstSeatId": str(HUGE), "firstSeatNo": 5}
    api.call("createSeats", huge, optionId=str(HUGE))
    for name, params, code in (
        ("listConcerts", {}, ""),
        ("listDates", {"concertId": 1}, "CONCERT_NOT_FOUND"),
        ("listDates", {"concertId": str(HUGE)}, "CONCERT_NOT_FOUND"),
        ("listSeats", {"optionId": 11}, "DATE_NOT_FOUND"),
        ("listSeats", {"optionId": str(HUGE)}, "DATE_NOT_FOUND"),
    ):
        api.call(name, **params)
        if params:
            api.call(name, expect=code, **dict.fromkeys(params, 9))
            api.call(name, expect="BAD_PARAMETER", **dict.fromkeys(params, "x"))
    for nobody, code in (("", "PASS_MISSING"), ("Bearer x", "PASS_INVALID")):
        api.call("listConcerts", expect=code, admin=nobody)


def paid(api, payment_id):
    """The payment when it is not PENDING any more."""
    wait_until(lambda: api.call("readPayment", paymentId=payment_id).data["status"] != "PENDING")
    return api.call("readPayment", paymentId=payment_id).data


def seats(api, world):
    rich = str(HUGE)
    world.sql("update orders.balances set amount = 5000 where user_id = %s", [HUGE])
    wish = {"userId": rich, "seatIds": [101, 102]}
    held = api.call("holdSeats", wish, key="h").data
    again = api.call("holdSeats", wish, key="h")
    assert again.headers["idempotent-replayed"] == "true"
    one = {"userId": rich, "seatId": 103}
    api.call("holdSeats", one, expect="IDEMPOTENCY_KEY_REUSED", key="h")
    api.call("holdSeats", {"userId": 2, "seatId": 101}, expect="SEAT_TAKEN")
    api.call("holdSeats", {"userId": 2, "seatId": 9}, expect="SEAT_NOT_FOUND")
    api.call("holdSeats", {"userId": 2}, expect="BAD_PARAMETER")
    limited = wish | {"seatIds": [103, 104]}
    api.call("holdSeats", limited, expect="SEAT_LIMIT_REACHED")
    other = api.call("holdSeats", one | {"userId": 2, "seatId": str(HUGE)}).data

    this = {"reservationId": held["reservationId"]}
    pay = this | {"userId": rich}
    asked = api.call("paySeats", pay, key="p").data
    again = api.call("paySeats", pay, key="p")
    assert again.headers["idempotent-replayed"] == "true"
    api.call("paySeats", pay, expect="PAYMENT_EXISTS")
    api.call("paySeats", pay | {"userId": 2}, expect="RESERVATION_NOT_FOUND")
    api.call("paySeats", {}, expect="BAD_PARAMETER")
    assert paid(api, asked["paymentId"])["status"] == "COMPLETED"
    assert api.call("readReservation", **this).data["status"] == "OWNED"
    api.call("cancelReservation", {"userId": rich}, expect="RESERVATION_STATE_CONFLICT", **this)

    that = {"reservationId": other["reservationId"]}
    api.call("cancelReservation", {"userId": 1}, expect="RESERVATION_NOT_FOUND", **that)
    api.call("cancelReservation", {"userId": 2}, **that)
    api.call("paySeats", that | {"userId": 2}, expect="RESERVATION_STATE_CONFLICT")
    reused = that | {"userId": rich}
    api.call("paySeats", reused, expect="IDEMPOTENCY_KEY_REUSED", key="p")
    api.call("readReservation", expect="RESERVATION_NOT_FOUND", reservationId=99)
    api.call("readReservation", expect="BAD_PARAMETER", reservationId="x")
    api.call("readPayment", expect="PAYMENT_NOT_FOUND", paymentId=99)
    api.call("readPayment", expect="BAD_PARAMETER", paymentId="x")


def queue(api):
    token = api.call("takeToken", {"userId": str(HUGE)}).data
    again = api.call("takeToken", {"userId": str(HUGE), "line": 0}).data
    assert again["token"] == token["token"]
    api.call("takeToken", {"userId": 1, "line": 9}, expect="LINE_NOT_FOUND")
    api.call("takeToken", {}, expect="BAD_PARAMETER")
    api.call("readToken", userId=HUGE)
    api.call("readToken", expect="TOKEN_NOT_FOUND", userId=9)
    api.call("readToken", expect="PASS_INVALID", userId=9, admin="Bearer x")
    api.call("readServing")
    opens = {"line": 1, "name": "Spring", "mode": "random", "opensAt": instant(days=1)}
    api.call("createLine", opens)
    api.call("createLine", opens, expect="LINE_EXISTS")
    api.call("revokeToken", {"userId": 9}, expect="TOKEN_NOT_FOUND", line=0)
    api.call("takeToken", {"userId": 8})
    api.call("revokeToken", {"userId": 8}, line=0)
    api.call("createLine", opens | {"mode": "lifo"}, expect="BAD_PARAMETER")
    api.call("changeLine", {"rate": 5, "noShowMs": -1}, line=1)
    api.call("changeLine", {"rate": 5}, expect="LINE_NOT_FOUND", line=9)
    api.call("listLines")
    api.call("changeLine", {"activeMs": 1000}, line=0)
    get = api.world.client("queue").get
    path = f"/queue/tokens/status/{HUGE}"
    wait_until(lambda: patient(get, path).data["status"] == "EXPIRED")
    api.call("readEvents", userId=HUGE)  # says so and ends
    api.call("readEvents", expect="TOKEN_NOT_FOUND", userId=9)
    api.call("leaveLine", userId=HUGE)
    api.call("leaveLine", expect="TOKEN_NOT_FOUND", userId=HUGE)
    api.call("changeLine", {"mode": "closed"}, line=0)
    wait_until(lambda: patient(get, "/queue/serving").data["mode"] == "closed")
    api.call("takeToken", {"userId": 5}, expect="LINE_CLOSED")


def everyone(api):
    """What any call can answer."""
    for name in ("live", "ready"):
        api.call(name)
    for name, (_, path, operation) in api.operations.items():
        if operation.get("security") == OPERATOR:
            params = dict.fromkeys(re.findall(r"{(\w+)}", path), 1)
            api.call(name, expect="UNAUTHORIZED", admin="", **params)
            api.call(name, expect="FORBIDDEN", admin="Bearer another", **params)
    api.call("chargePoints", b"x" * 5000, expect="BODY_TOO_LARGE")


def test_answers_are_as_described(world):
    world.start(*PROGRAMS, **CHECKED_ONCE)
    api = OpenApi(world)
    coupons(api)
    products(api)
    balances(api, world)
    orders(api)
    concerts(api)
    seats(api, world)
    queue(api)
    everyone(api)
    world.stop("order")
    api.call("readRanks", expect="DEPENDENCY_UNAVAILABLE")
    never = set(api.operations) - {name for name, code in api.seen if code == "OK"}
    assert not never, f"these were never answered well: {never}"


def told(world, channel):
    """(value, headers) of what is in a topic, when there is something."""
    log, found = Log(world, channel, "nobody"), []
    wait_until(lambda: found.extend(log.records()) or found, 20)
    return found


def test_records_are_as_described(world):
    world.expect_error("put aside")
    world.start(*PROGRAMS, **CHECKED_ONCE)
    api = OpenApi(world)
    coupons(api)
    products(api)
    balances(api, world)
    orders(api)
    concerts(api)
    seats(api, world)
    events = AsyncApi()
    for topic in ("COUPON_PUBLISH_REQUESTED", "PAYMENT_REQUESTED"):
        Log(world, topic, "nobody").write("not an event")
    for channel in events.document["channels"]:
        for value, headers in told(world, channel):
            if value != b"not an event":
                events.check(channel, value, headers)
