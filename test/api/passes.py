"""What the tests of passes share: forging them, and asking the shop with them. Signed here
with Python's own HMAC, which shares no code with ours.
"""

import base64
import hashlib
import hmac
import json
import secrets
from contextlib import contextmanager

from api.fake_service import FakeService
from api.lines import patient, until


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, separators=(",", ":"))


class Keys:
    """The file of keys of a world."""

    def __init__(self, world):
        self.path = world.keys / "pass.keys"

    def read(self):
        """[(kid, secret)], the one that signs first."""
        lines = (line.split() for line in self.path.read_text("ascii").splitlines())
        return [(kid, bytes.fromhex(secret)) for kid, secret in lines]

    def write(self, keys):
        """Replaces the file at once, as an operator should."""
        text = "".join(f"{kid} {secret.hex()}\n" for kid, secret in keys)
        new = self.path.with_suffix(".new")
        new.write_text(text, "ascii")
        new.replace(self.path)

    def sign(self, claims, header=None, key=None):
        """A pass with these claims, by the key that signs."""
        kid, secret = key or self.read()[0]
        head = header if header is not None else compact({"alg": "HS256", "kid": kid, "typ": "JWT"})
        text = f"{b64(head.encode())}.{b64(compact(claims).encode())}"
        mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        return f"{text}.{b64(mac)}"


def new_key(kid):
    return kid, secrets.token_bytes(32)


def bearer(token):
    return {"Authorization": f"Bearer {token}"} if token is not None else {}


def enter_once(world, token, path="/concerts", name="gateway", **headers):
    """What the shop says to who shows this pass; None: nothing is shown."""
    return world.client(name).get(path, headers=bearer(token) | headers)


def enter(*arguments, **options):
    """The same once it is known where the line stands."""
    return patient(enter_once, *arguments, **options)


@contextmanager
def open_shop(world):
    """A queue, the gateway, and a shop that lets everybody do anything: world.shop."""
    with FakeService(world.port("reservation")) as service:
        world.start("queue")
        world.start("gateway", ONRUSH_WORKERS=1)
        world.shop = service
        yield world


def served(line, user):
    """The pass of somebody who is told to be served."""
    token = line.take(user).data["token"]
    until(lambda: line.status(user).data["status"] == "ACTIVE")
    return token


def assert_refused(answer, status, error):
    assert (answer.status, answer.error) == (status, error)
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    else:
        assert "www-authenticate" not in answer.headers
