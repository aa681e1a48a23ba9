"""What the tests of the waiting line share: a line as a client and as its operator."""

import base64
import json
import time

UNLIMITED = {"rate": -1, "noShowMs": -1}

# A busy machine may have let a line's numbers grow old, or an answer come too late.
BUSY = (503, 504)


def until(condition, seconds=20):
    """Waits for a condition; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.02)
    return value


def patient(call, *words, **options):
    """The answer of a machine that is not busy: else once more."""
    return until(lambda: (answer := call(*words, **options)).status not in BUSY and answer)


class Line:
    """One line of a queue service, as a client and as its operator."""

    def __init__(self, world, number, **settings):
        self.world, self.number = world, number
        body = {"line": number, "name": f"Line {number}"} | settings
        answer = world.admin("queue").post("/admin/queue/lines", body)
        assert answer.status == 200, answer.json
        until(lambda: self.serving_answer().status == 200)

    def serving_answer(self):
        return self.world.client("queue").get(f"/queue/serving?line={self.number}")

    def serving(self):
        return patient(self.serving_answer).data

    def change(self, **settings):
        answer = self.world.admin("queue").call(
            "PUT", f"/admin/queue/lines/{self.number}", settings
        )
        assert answer.status == 200, answer.json

    def _headers(self, token):
        return {"Authorization": f"Bearer {token}"} if token else {}

    def take(self, user, token=None):
        return patient(self.take_once, user, token)

    def take_once(self, user, token=None):
        """For who wants to be refused."""
        return self.world.client("queue").call(
            "POST", "/queue/tokens", {"userId": user, "line": self.number}, self._headers(token)
        )

    def number_of(self, user, token=None):
        """The ticket that the user gets."""
        return claims(self.take(user, token).data["token"])["num"]

    def status(self, user, token=None):
        path = f"/queue/tokens/status/{user}?line={self.number}"
        return patient(self.world.client("queue").call, "GET", path, None, self._headers(token))

    def revoke(self, user):
        path = f"/admin/queue/lines/{self.number}/revoke"
        return patient(self.world.admin("queue").post, path, {"userId": user})

    def leave(self, user):
        path = f"/queue/tokens/{user}?line={self.number}"
        return patient(self.world.client("queue").delete, path)

    def active(self, users):
        return [u for u in users if self.status(u).data["status"] == "ACTIVE"]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def active_places(seen):
    """The places that the numbers of GET /queue/serving call active."""
    first = 8 * seen["goneFrom"]
    gone = base64.urlsafe_b64decode(seen["gone"] + "=" * (-len(seen["gone"]) % 4))
    bits = "".join(f"{byte:08b}" for byte in gone).ljust(seen["serving"] + 1 - first, "0")
    return [p for p in range(seen["floor"] + 1, seen["serving"] + 1) if bits[p - first] == "0"]
