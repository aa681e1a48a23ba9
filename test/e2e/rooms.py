"""Lines with waiting rooms before them."""

import itertools
import json
from urllib.parse import quote

from api.lines import BUSY, patient, until

ROOM = "/waiting-room"
NUMBERS = itertools.count(1)
OPEN = {"maxActive": 100_000, "rate": -1}
# Where visitors are sent on to: any address of the same site.
SHOP = "/queue/serving?line=0"


def leave(client, path):
    """Gives up a place. Who has to ask again may find that it is gone already."""
    told = []
    until(lambda: told.append(client.delete(path).status) or told[-1] not in BUSY)
    assert told[-1] == 200 or (told[-1] == 404 and len(told) > 1), told


def press_leave(visitor):
    """The same in the tab that is looked at."""
    page = visitor.page

    def is_done():
        page.get_by_role("button", name="Leave the line").click()
        with page.expect_response(lambda r: r.request.method == "DELETE") as answer:
            page.get_by_role("dialog").get_by_role("button", name="Leave the line").click()
        if answer.value.status not in BUSY:
            return True
        visitor.expect("status of 404")
        return False

    until(is_done)


class Line:
    """A line of its own for each test, as its operator and the others in it."""

    def __init__(self, world, **settings):
        self.world, self.number = world, next(NUMBERS)
        body = {"line": self.number, "name": "A line", "maxActive": 0, "noShowMs": -1}
        answer = world.admin().post("/admin/queue/lines", body | settings)
        assert answer.status == 200, answer.json

    def change(self, **settings):
        answer = self.world.admin().put(f"/admin/queue/lines/{self.number}", settings)
        assert answer.status == 200, answer.json

    def join(self, *users):
        """The tokens that these users get."""
        post = self.world.client().post
        bodies = [{"userId": user, "line": self.number} for user in users]
        return [patient(post, "/queue/tokens", b).data["token"] for b in bodies]

    def status(self, user):
        path = f"/queue/tokens/status/{user}?line={self.number}"
        return patient(self.world.client().get, path)

    def room(self, user=None, to=None):
        """The waiting room's address for somebody."""
        user = f"&userId={user}" if user else ""
        return f"{ROOM}?line={self.number}{user}" + (f"&to={quote(to)}" if to else "")

    def noted(self, visitor):
        """What a visitor's browser has noted of the line."""
        return json.loads(visitor.page.evaluate(f"localStorage['onrush.line.{self.number}']"))
