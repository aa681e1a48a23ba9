"""The waiting room on a phone, for a screen reader, in every language, and under its policy."""

import re

import pytest
from api.lines import until
from e2e.rooms import OPEN, ROOM, Line

PHONE = {"width": 320, "height": 568, "has_touch": True, "is_mobile": True}


def every_state(line, visitor):
    """Brings the page into its states, one after the other."""
    page = visitor.open(line.room())
    visitor.sees("Who are you?")
    yield "who"
    page.get_by_label("User number").fill("5")
    page.get_by_role("button", name="Get in line").click()
    visitor.sees("You are in line")
    yield "waiting"
    page.get_by_role("button", name="Leave the line").click()
    yield "leaving"
    page.get_by_role("button", name="Stay in line").click()
    line.change(mode="closed")
    visitor.sees("The line stands still")
    yield "paused"
    line.change(mode="fifo", soldOut=True)
    visitor.sees("Sold out")
    yield "sold out"
    line.change(soldOut=False, **OPEN)
    visitor.sees("It is your turn")
    yield "served"


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1280, "light")])
def test_no_state_breaks_a_rule_of_accessibility(line, visit, width, scheme):
    """The rules of WCAG 2.2 AA that a program can judge, contrast among them."""
    visitor = visit(width=width, color_scheme=scheme, reduced_motion="reduce")
    seen = []
    for state in every_state(line, visitor):
        assert visitor.broken_rules() == [], state
        seen.append(state)
    assert len(seen) == 6


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_a_phone_needs_no_sideways_scrolling(shop, visit, locale):
    line = Line(shop)
    line.join(*range(1, 5))
    visitor = visit(**PHONE, locale=locale)
    page = visitor.open(line.room(1_000_000))
    page.wait_for_selector("#number:not(:empty)")
    page.evaluate("document.getElementById('number').textContent = '88,888,888'")
    wide = "e => e.getBoundingClientRect().right > innerWidth"
    assert page.evaluate(f"[...document.querySelectorAll('*')].filter({wide}).length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    for button in page.get_by_role("button").all():
        assert button.bounding_box()["height"] >= 44


def test_what_a_screen_reader_finds(line, visit):
    line.join(1)
    visitor = visit()
    page = visitor.open(line.room(2))
    visitor.sees("You are in line")
    assert page.get_by_role("heading", name="You are in line", level=1).count() == 1
    assert page.get_by_role("progressbar", name="How far you have come").count() == 1
    assert page.get_by_role("button", name="Leave the line").count() == 1
    assert page.get_by_role("link").count() == 0
    assert page.evaluate("document.documentElement.lang") == "en"
    said = page.locator("#live").text_content()
    assert said.startswith("You are in line") and "Your place in line 2" in said


def test_numbers_are_read_out_with_restraint(line, visit):
    """A change of state at once; of the place alone once a minute."""
    line.join(*range(1, 9))
    visitor = visit()
    page = visitor.page = visitor.context.new_page()
    page.clock.install()
    page.goto(line.room(9))
    visitor.shows("#live", re.compile("in line 9 "))
    line.change(maxActive=2, rate=-1)
    for _ in range(8):
        page.clock.run_for(2000)
    visitor.shows("#number", "7")
    assert "in line 9 " in page.locator("#live").text_content()
    page.clock.run_for(60_000)
    visitor.shows("#live", re.compile("in line 7 "))
    line.change(**OPEN)
    for _ in range(8):
        page.clock.run_for(2000)
    visitor.shows("#live", re.compile("It is your turn"))


def test_the_focus_is_not_lost(line, visit):
    visitor = visit()
    page = visitor.open(line.room())
    page.get_by_label("User number").fill("3")
    page.keyboard.press("Enter")
    visitor.sees("You are in line")
    assert page.evaluate("document.activeElement.id") == "heading"


@pytest.mark.parametrize(
    ("locale", "language", "heading"),
    [
        ("ko-KR", "ko", "대기 중입니다"),
        ("en-GB", "en", "You are in line"),
        ("xx", "en", "You are in line"),
    ],
)
def test_languages(line, visit, locale, language, heading):
    visitor = visit(locale=locale)
    page = visitor.open(line.room(1))
    visitor.sees(heading)
    assert page.evaluate("document.documentElement.lang") == language
    assert "undefined" not in page.locator("body").inner_text()


def test_every_language_has_every_text(shop, visit):
    visitor = visit()
    page = visitor.open(ROOM)
    names = page.evaluate(
        """async () => {
             const { TEXTS } = await import('/waiting-room-texts.js');
             return Object.values(TEXTS).map((texts) => Object.keys(texts).sort());
           }"""
    )
    assert len(names) >= 2 and all(these == names[0] for these in names)


def test_a_page_without_scripts_says_what_it_needs(line, visit):
    visitor = visit(java_script_enabled=False)
    page = visitor.open(line.room(1))
    assert "JavaScript" in page.locator("main").inner_text()


def test_the_policy_stops_what_is_not_ours(line, visit):
    """The judge itself is judged: a page that does what it may not is found out."""
    visitor = visit()
    page = visitor.open(line.room(1))
    visitor.sees("You are in line")
    assert visitor.unexpected() == []
    page.evaluate(
        """() => {
             const style = document.createElement('style');
             style.textContent = 'body { color: red }';
             document.head.append(style);
           }"""
    )
    until(lambda: page.evaluate("1") and any("policy: style-src" in w for w in visitor.wrong))
    visitor.expect("policy|Policy")
