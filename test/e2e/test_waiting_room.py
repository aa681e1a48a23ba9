"""The waiting room as people use it: in Chromium, before a real line."""

import json
import re
import time

import pytest
from api.lines import until
from e2e.rooms import OPEN, ROOM, SHOP, Line, leave, press_leave


def place(visitor):
    return int(visitor.text("#number") or 0)


def shown(page):
    """The data that a service answered; None where a busy machine could not tell the pass."""
    return json.loads(page.inner_text("body")).get("data")


# --- waiting ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "missing", ["/queue/tokens/status/", "/queue/events/"], ids=["by_events", "by_asking"]
)
def test_the_place_falls_and_the_visitor_is_sent_on(line, visit, missing):
    line.join(*range(1, 11))
    visitor = visit()
    visitor.expect(missing)
    visitor.context.route(f"**{missing}**", lambda route: route.abort())
    visitor.open(line.room(11, SHOP))
    visitor.sees("You are in line")
    assert place(visitor) == 11
    line.change(maxActive=4, rate=-1)
    visitor.shows("#number", "7")
    progress = visitor.page.get_by_role("progressbar")
    assert progress.evaluate("bar => bar.value") == 36
    assert visitor.page.title().startswith("7 ")
    line.change(**OPEN)
    visitor.page.wait_for_url(f"**{SHOP}")
    assert line.status(11).data["status"] == "ACTIVE"


def test_whoever_comes_back_has_the_same_place(line, visit):
    line.join(1, 2)
    visitor = visit()
    first = visitor.open(line.room(3))
    visitor.sees("You are in line")
    token = line.noted(visitor)["token"]
    line.join(4, 5)
    first.reload()
    visitor.sees("You are in line")
    assert (place(visitor), line.noted(visitor)["token"]) == (3, token)
    visitor.open(line.room())  # a second tab, whose address names nobody
    visitor.sees("You are in line")
    assert (place(visitor), line.noted(visitor)["token"]) == (3, token)
    first.close()
    visitor.page.close()
    visitor.open(line.room(3))
    visitor.sees("You are in line")
    assert (place(visitor), line.noted(visitor)["token"]) == (3, token)


def test_another_user_of_the_same_browser_has_another_place(line, visit):
    visitor = visit()
    visitor.open(line.room(1))
    visitor.shows("#number", "1")
    visitor.page.goto(line.room(2))
    visitor.shows("#number", "2")


def test_progress_is_that_of_the_whole_way(line, visit):
    line.join(*range(1, 20))
    visitor = visit()
    visitor.open(line.room(20))
    visitor.shows("#number", "20")
    line.change(maxActive=10, rate=-1)
    visitor.shows("#number", "10")
    visitor.page.reload()
    visitor.shows("#number", "10")
    assert visitor.page.get_by_role("progressbar").evaluate("bar => bar.value") == 50


def test_an_estimate_is_given(shop, visit):
    line = Line(shop, maxActive=1000, rate=0)
    line.join(*range(1, 200))
    visitor = visit()
    visitor.open(line.room(200))
    visitor.shows("#estimate", "It cannot be said yet how long it will take.")
    line.change(rate=1)
    visitor.shows("#estimate", re.compile(r"It is your turn in about \d+ minutes\."))


def test_the_opening_deals_out_places(shop, visit):
    opens = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))
    line = Line(shop, mode="random", opensAt=opens)
    visitor = visit()
    visitor.open(line.room(1))
    visitor.sees("You are here in time")
    assert re.search(r"about (2 hours|1[12]\d minutes)", visitor.text("#lead"))
    assert not visitor.page.get_by_role("progressbar").is_visible()
    line.change(opensAt="2020-01-01T00:00:00Z")
    visitor.shows("#number", "1")


# --- the turn ---------------------------------------------------------------------------


def test_without_an_address_the_pass_is_shown(shop, visit):
    line = Line(shop, **OPEN)
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.open(line.room(7))
    visitor.sees("It is your turn")
    assert page.title() == "It is your turn"
    shown = page.get_by_label("Your pass").input_value()
    assert shown == line.status(7).data["token"]
    page.get_by_role("button", name="Copy the pass").click()
    visitor.shows("#copied", "Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == shown


def test_who_is_sent_back_does_not_go_round_in_circles(shop, visit):
    line = Line(shop, **OPEN)
    visitor = visit()
    page = visitor.open(line.room(7, SHOP))
    page.wait_for_url(f"**{SHOP}")
    visitor.page.goto(line.room(7, SHOP))
    visitor.sees("It is your turn")
    page.get_by_role("link", name="Go in").click()
    page.wait_for_url(f"**{SHOP}")


def test_from_the_shop_to_the_line_and_back(world, chromium):
    """A browser that has no pass asks for what needs one."""
    world.start("queue", "reservation", "gateway")
    world.admin().put("/admin/queue/lines/0", {"maxActive": 0})
    visitor = chromium.visitor(world.port("gateway"))
    page = visitor.open("/concerts")
    visitor.sees("Who are you?")
    page.get_by_label("User number").fill("7")
    page.get_by_role("button", name="Get in line").click()
    visitor.shows("#number", "1")
    world.admin().put("/admin/queue/lines/0", OPEN)
    page.wait_for_url("**/concerts")
    assert until(lambda: shown(page) or (page.reload() and None)) == {"concerts": []}
    page.reload()
    assert page.url.endswith("/concerts")
    leave(world.client(), "/queue/tokens/7")
    until(lambda: page.reload() and ROOM in page.url)
    visitor.expect("404")
    visitor.sees("You have left the line")
    assert chromium.send_home() == []


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "shop",
        "//[",
        ROOM + "?line=1",
    ],
)
def test_nobody_is_sent_elsewhere(shop, visit, to):
    line = Line(shop, **OPEN)
    visitor = visit()
    page = visitor.open(line.room(7, to))
    visitor.sees("It is your turn")
    assert page.get_by_label("Your pass").is_visible()
    assert not page.get_by_role("link").is_visible()
    assert page.url.startswith(visitor.base + ROOM)


def test_a_path_with_dots_stays_here(shop, visit):
    """Such a path begins with two slashes when it is resolved."""
    line = Line(shop, **OPEN)
    visitor = visit()
    visitor.expect("404")
    page = visitor.open(line.room(7, "/.//evil.example/"))
    page.wait_for_url(f"{visitor.base}//evil.example/")


def test_the_turn_ends(shop, visit):
    line = Line(shop, maxActive=1, rate=-1, activeMs=1000)
    visitor = visit()
    page = visitor.open(line.room(1))
    visitor.sees("Your time is over")
    line.change(maxActive=0)
    token = line.noted(visitor)["token"]
    page.get_by_role("button", name="Get in line again").click()
    visitor.sees("You are in line")
    assert line.noted(visitor)["token"] != token


# --- what the line does -----------------------------------------------------------------


def test_sold_out_is_told_at_once_and_taken_back(line, visit):
    line.join(1)
    visitor, late = visit(), visit()
    visitor.open(line.room(2))
    visitor.sees("You are in line")
    line.change(soldOut=True)
    visitor.sees("Sold out")
    late.open(line.room(3))
    late.sees("Sold out")
    line.change(soldOut=False)
    visitor.shows("#number", "2")


def test_a_closed_line(line, visit):
    visitor, late = visit(), visit()
    visitor.open(line.room(1))
    visitor.sees("You are in line")
    line.change(mode="closed")
    visitor.sees("The line stands still")
    assert place(visitor) == 1
    late.expect("409")
    late.open(line.room(2))
    late.sees("The line is closed")
    line.change(mode="fifo")
    visitor.sees("You are in line")
    late.sees("You are in line")
    assert place(late) == 2


def test_a_line_without_waiting(shop, visit):
    line = Line(shop, mode="passthrough")
    visitor = visit()
    page = visitor.open(line.room(1, SHOP))
    page.wait_for_url(f"**{SHOP}")


def test_a_line_that_has_ended(line, visit):
    visitor = visit()
    visitor.expect("401")
    page = visitor.open(line.room(1))
    visitor.sees("You are in line")
    line.change(closesAt="2020-01-01T00:00:00Z")
    line.join(1)
    page.evaluate(
        """([key, token]) => {
             const noted = JSON.parse(localStorage[key]);
             localStorage[key] = JSON.stringify({ ...noted, token });
           }""",
        [f"onrush.line.{line.number}", line.join(1)[0]],
    )
    page.reload()
    visitor.sees("This line has ended")
    line.change(closesAt="2099-01-01T00:00:00Z")
    page.get_by_role("button", name="Get in line again").click()
    visitor.sees("You are in line")


@pytest.mark.parametrize("number", ["99999", "x", "", "-1", "1234567890123456789012"])
def test_a_line_that_is_not_there(shop, visit, number):
    visitor = visit()
    visitor.expect("404")
    visitor.open(f"{ROOM}?line={number}&userId=1")
    visitor.sees("There is no such line")


# --- what visitors do -------------------------------------------------------------------


def test_leaving_is_asked_about_and_told_to_the_other_tab(line, visit):
    line.join(1)
    visitor = visit()
    other = visitor.open(line.room(2))
    visitor.sees("You are in line")
    page = visitor.open(line.room(2))
    visitor.sees("You are in line")
    page.get_by_role("button", name="Leave the line").click()
    page.get_by_role("dialog").get_by_role("button", name="Stay in line").click()
    assert line.status(2).status == 200
    press_leave(visitor)
    visitor.sees("You have left the line")
    assert line.status(2).error == "TOKEN_NOT_FOUND"
    visitor.page = other
    visitor.sees("You have left the line")
    other.reload()
    visitor.sees("You have left the line")
    line.join(3)
    other.get_by_role("button", name="Get in line again").click()
    visitor.sees("You are in line")
    assert place(visitor) >= 3  # who has left starts behind the others
    visitor.page = page
    visitor.sees("You are in line")


def test_who_left_elsewhere_is_told(line, visit):
    visitor = visit()
    visitor.expect("404")
    page = visitor.open(line.room(1))
    visitor.sees("You are in line")
    leave(line.world.client(), f"/queue/tokens/1?line={line.number}")
    page.reload()
    visitor.sees("You have left the line")


def test_who_are_you(line, visit):
    visitor = visit()
    visitor.expect("400")
    page = visitor.open(line.room())
    visitor.sees("Who are you?")
    number, join = page.get_by_label("User number"), page.get_by_role("button", name="Get in line")
    for wrong in ("", "0", "-1", "seven", "9999999999999999999"):
        number.fill(wrong)
        join.click()
        visitor.shows("#user-wrong", re.compile("That is not a user number"))
    number.fill("9223372036854775807")
    join.click()
    visitor.sees("You are in line")
    assert line.status(9223372036854775807).status == 200


# --- trouble ----------------------------------------------------------------------------


def test_no_connection_for_a_while(line, visit):
    line.join(1, 2)
    visitor = visit()
    visitor.expect("ERR_INTERNET_DISCONNECTED")
    page = visitor.open(line.room(3))
    visitor.shows("#number", "3")
    visitor.context.set_offline(True)
    visitor.shows("#trouble", "There is no connection. Trying again… Your place is kept.")
    assert place(visitor) == 3
    line.change(maxActive=1, rate=-1)
    visitor.context.set_offline(False)
    visitor.shows("#number", "2")
    visitor.shows("#trouble", "")
    assert page.url.endswith(line.room(3))


def test_a_service_that_ends_has_its_visitors_come_again(world, chromium):
    world.start("queue", "gateway")
    line = Line(world)
    line.join(1)
    visitor = chromium.visitor(world.port("gateway"))
    visitor.expect("50[234]|ERR_|/queue/events/")
    with_events = re.compile("/queue/events/")
    page = visitor.page = visitor.context.new_page()
    page.clock.install()
    with page.expect_request(with_events):
        page.goto(line.room(2))
    visitor.shows("#number", "2")
    world.stop("queue")
    visitor.shows("#trouble", re.compile("The shop does not answer"))
    world.start("queue")
    visitor.shows("#trouble", "")
    with page.expect_request(with_events):
        page.clock.run_for(60_000)
    visitor.shows("#number", "2")
    assert chromium.send_home() == []


def test_one_tab_of_a_browser_follows_the_line(line, visit):
    visitor = visit()
    followed = []

    def on_response(response):
        if "/queue/events/" in response.url and response.status == 200:
            followed.append(response)

    visitor.context.on("response", on_response)
    tabs = [visitor.open(line.room(1)) for _ in range(3)]
    for visitor.page in tabs:
        visitor.sees("You are in line")
    line.change(mode="closed")
    for visitor.page in tabs:
        visitor.sees("The line stands still")
    until(lambda: visitor.page.evaluate("1") and followed)
    assert len(followed) == 1


def test_nobody_leaves_without_a_connection(line, visit):
    visitor = visit()
    visitor.expect("ERR_INTERNET_DISCONNECTED")
    page = visitor.open(line.room(1))
    visitor.sees("You are in line")
    visitor.context.set_offline(True)
    page.get_by_role("button", name="Leave the line").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave the line").click()
    visitor.shows("#trouble", re.compile("There is no connection"))
    visitor.sees("You are in line")
    visitor.context.set_offline(False)
    visitor.shows("#trouble", "")
    assert line.status(1).data["queueOrder"] == 1


def test_the_service_goes_away_and_comes_back(world, chromium):
    world.start("queue", "gateway")
    line = Line(world)
    line.join(1)
    visitor = chromium.visitor(world.port("gateway"))
    visitor.expect("50[234]|ERR_")
    visitor.open(line.room(2))
    visitor.shows("#number", "2")
    token = line.noted(visitor)["token"]
    world.kill("queue")
    visitor.shows("#trouble", "The shop does not answer. Trying again… Your place is kept.")
    world.start("queue")
    visitor.shows("#trouble", "")
    visitor.shows("#number", "2")
    world.kill("gateway")
    visitor.shows("#trouble", re.compile("There is no connection"))
    world.start("gateway")
    visitor.shows("#trouble", "")
    assert line.noted(visitor)["token"] == token
    assert chromium.send_home() == []


def test_redis_is_wiped_and_the_page_shows_its_pass(make_world, chromium):
    world = make_world(redis=True)
    world.start("queue", "gateway")
    line = Line(world)
    line.join(*range(1, 5))
    visitor = chromium.visitor(world.port("gateway"))
    visitor.expect("50[234]|404")
    visitor.open(line.room(5))
    visitor.shows("#number", "5")
    token = line.noted(visitor)["token"]
    world.redis_client().flushall()
    until(lambda: line.status(9).status == 404)  # it is there again, and knows nobody
    visitor.page.reload()
    visitor.shows("#number", "5")
    assert line.noted(visitor)["token"] == token
    assert chromium.send_home() == []


def test_a_browser_that_stores_nothing(line, visit):
    line.join(1)
    visitor = visit()
    visitor.context.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        "  Object.defineProperty(window, name, { get() { throw new Error('refused'); } });"
    )
    visitor.open(line.room(2))
    visitor.shows("#number", "2")
    line.change(**OPEN)
    visitor.sees("It is your turn")
