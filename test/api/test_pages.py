"""The pages that the gateway serves itself: bytes, headers, and what browsers may keep."""

import pytest
from api.fake_service import FakeService
from api.lines import UNLIMITED, Line, patient
from api.passes import enter, served
from harness.engines import ROOT

PAGES = {
    "/waiting-room": "text/html; charset=utf-8",
    "/waiting-room.css": "text/css; charset=utf-8",
    "/waiting-room.js": "text/javascript; charset=utf-8",
    "/waiting-room-texts.js": "text/javascript; charset=utf-8",
}
FOLDER = ROOT / "services/gateway/passes/pages"


@pytest.fixture(scope="module")
def gateway(module_world):
    """Alone: the pages are there when no service is."""
    module_world.start("gateway")
    return module_world.client("gateway")


def test_every_file_is_a_page():
    names = {path.name.removesuffix(".html") for path in FOLDER.iterdir()}
    assert names == {path.removeprefix("/") for path in PAGES}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_its_file(gateway, path):
    answer = gateway.get(f"{path}?line=1&userId=7")
    file = FOLDER / f"{path}{'' if '.' in path else '.html'}".removeprefix("/")
    assert answer.status == 200
    assert answer.body == file.read_bytes()
    assert answer.headers["content-type"] == PAGES[path]
    assert answer.headers["content-length"] == str(file.stat().st_size)


@pytest.mark.parametrize("path", PAGES)
def test_a_browser_that_has_it_loads_nothing(gateway, path):
    first = gateway.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = gateway.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert gateway.get(path, headers={"If-None-Match": '"other"'}).status == 200


def test_tags_differ(gateway):
    assert len({gateway.get(path).headers["etag"] for path in PAGES}) == len(PAGES)


def test_what_a_page_may_do(gateway):
    headers = gateway.get("/waiting-room").headers
    parts = (part.split() for part in headers["content-security-policy"].split(";"))
    policy = {name: sources for name, *sources in parts}
    assert policy["default-src"] == ["'none'"]
    for own in ("script-src", "style-src", "connect-src"):
        assert policy[own] == ["'self'"]
    for none in ("base-uri", "form-action", "frame-ancestors"):
        assert policy[none] == ["'none'"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_methods(gateway):
    page = gateway.get("/waiting-room")
    head = gateway.call("HEAD", "/waiting-room")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-length", "content-type", "etag", "content-security-policy"):
        assert head.headers[name] == page.headers[name]
    refused = gateway.post("/waiting-room", {"userId": 1})
    assert (refused.error, refused.headers["allow"]) == ("METHOD_NOT_ALLOWED", "GET, HEAD")
    assert gateway.get("/waiting-room/").error == "NOT_FOUND"
    assert gateway.get("/waiting-room.html").error == "NOT_FOUND"


# --- the way to the waiting room, and back ------------------------------------------------

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_browser_without_a_pass_is_sent_to_the_line(world):
    world.start("queue", "gateway")
    sent = enter(world, None, "/concerts?page=2", **BROWSER)
    assert (sent.status, sent.body) == (303, b"")
    assert sent.headers["location"] == "/waiting-room?line=0&to=%2Fconcerts%3Fpage%3D2"
    assert enter(world, None).error == "PASS_MISSING"
    reserve = patient(world.client().post, "/concerts/reserve-seat", {}, headers=BROWSER)
    assert reserve.status == 401


def test_a_cookie_is_a_pass_for_looking(world):
    with FakeService(world.port("reservation")) as shop:
        world.start("queue", "gateway")
        line = Line(world, 1, maxActive=1, **UNLIMITED)
        token = served(line, 7)
        cookie = {"Cookie": f"theme=dark; onrush_pass={token}"}
        assert enter(world, None, **cookie).status == 200
        request = shop.requests[0]
        assert (request.header("cookie"), request.header("x-onrush-user")) == (None, "7")
        # A call that changes something needs the header: other sites can send a cookie.
        reserve = patient(world.client().post, "/concerts/reserve-seat", {}, headers=cookie)
        assert reserve.error == "PASS_MISSING"
        forged = {"Cookie": f"onrush_pass={token[:-4]}AAAA"}
        assert enter(world, None, **forged).error == "PASS_INVALID"
        # The header is what counts when there are both.
        assert enter(world, token, **forged).status == 200
        waits = line.take(8).data["token"]
        answer = enter(world, None, Cookie=f"onrush_pass={waits}", **BROWSER)
        assert answer.headers["location"] == "/waiting-room?line=1&to=%2Fconcerts"
        assert len(shop.requests) == 2
