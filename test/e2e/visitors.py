"""People with a browser: Chromium, driven by Playwright, and judged.

    with Chromium() as chromium:
        visitor = chromium.visitor(port, width=320)
        visitor.open("/waiting-room?userId=7")

A visitor has cookies and storage of its own. What a page writes to the console as an error,
what it throws and what its Content-Security-Policy stops is a failure, at the latest when
the visitor leaves; a test that provokes some says so with expect().
"""

import re
import shutil

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

WAIT_MS = 20_000
# Tells of what the policy stopped, in the console too.
REPORT_VIOLATIONS = """
addEventListener('securitypolicyviolation', (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


class Chromium:
    """The system's browser, without a window."""

    def __enter__(self):
        binary = shutil.which("chromium")
        assert binary, "there is no chromium: deploy/local/setup test installs it"
        self.playwright = sync_playwright().start()
        self.browser = self.playwright.chromium.launch(executable_path=binary)
        self.visitors = []
        return self

    def __exit__(self, *_):
        self.browser.close()
        self.playwright.stop()

    def visitor(self, port, width=1280, height=720, **options):
        """Somebody new; options are those of a Playwright context."""
        made = Visitor(self.browser, port, viewport={"width": width, "height": height}, **options)
        self.visitors.append(made)
        return made

    def send_home(self):
        """All visitors leave; gives what was wrong with what they saw."""
        wrong = [line for visitor in self.visitors for line in visitor.leave()]
        self.visitors.clear()
        return wrong


class Visitor:
    """One person: `page` is the tab that is looked at."""

    def __init__(self, browser, port, **options):
        self.base = f"http://127.0.0.1:{port}"
        self.context = browser.new_context(base_url=self.base, **options)
        self.context.set_default_timeout(WAIT_MS)
        self.context.add_init_script(REPORT_VIOLATIONS)
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.wrong.append(str(error.error)))
        self.wrong = []
        # For the icon the browser asks by itself; a busy machine may have let a line's
        # numbers grow old, and the page asks again.
        self.expected = ["/favicon.ico", "status of 50[34]"]
        self.page = None

    def _on_console(self, message):
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.text} ({message.location['url']})")

    def expect(self, pattern):
        """Lines of the console that match are no failure."""
        self.expected.append(pattern)

    def open(self, path):
        """Opens an address in a new tab, which comes to the front."""
        self.page = self.context.new_page()
        self.page.goto(path)
        return self.page

    def text(self, selector):
        """What can be read there; "" when it is not shown."""
        place = self.page.locator(selector)
        return place.inner_text() if place.is_visible() else ""

    def sees(self, heading):
        """Waits until the page has this heading."""
        self.shows("h1", heading)

    def shows(self, selector, text):
        """Waits until this can be read there: a text, or a pattern for a part of it."""
        expect(self.page.locator(selector)).to_have_text(text, timeout=WAIT_MS)

    def broken_rules(self):
        """What axe-core has against the page as it is now."""
        options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
        found = Axe().run(self.page, options=options).response["violations"]
        return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]

    def unexpected(self):
        """What was wrong with what was seen so far."""
        return [w for w in self.wrong if not any(re.search(e, w) for e in self.expected)]

    def leave(self):
        """Closes the browser's window; what was wrong with what was seen."""
        self.context.close()
        return self.unexpected()
