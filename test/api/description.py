"""The API description (docs/api/openapi.yaml and asyncapi.yaml) as a judge of what the
programs really say.

    api = OpenApi(world)
    api.call("placeOrder", {"userId": 7, "products": […]})   # asserts that the answer fits

The documents allow members that they do not name, because clients must; here every object
is closed, so that a member that nobody described is found.
"""

import copy
import json
import re
from pathlib import Path
from urllib.parse import quote

import yaml
from api.coupons import wait_until
from api.lines import patient
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry, Resource

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("get", "put", "post", "delete")


def load(name):
    return yaml.safe_load((ROOT / "docs/api" / name).read_text(encoding="utf-8"))


def closed(node):
    """A copy in which objects have no members but those that are named."""
    if isinstance(node, list):
        return [closed(value) for value in node]
    if not isinstance(node, dict):
        return node
    copied = {key: closed(value) for key, value in node.items()}
    if isinstance(copied.get("properties"), dict) and copied.get("type") == "object":
        copied["additionalProperties"] = False
    return copied


def walk(node, at=()):
    """(place, dict) of every dict in a document."""
    if isinstance(node, dict):
        yield at, node
        for key, value in node.items():
            yield from walk(value, (*at, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from walk(value, (*at, i))


class Judge:
    """Validates values against the schemas at places of a document."""

    def __init__(self, document, dialect, strict=True):
        self.dialect = dialect
        contents = closed(document) if strict else copy.deepcopy(document)
        resource = Resource.from_contents(
            contents | {"$schema": dialect.META_SCHEMA["$schema"], "$id": "urn:document"}
        )
        self.registry = Registry().with_resource("urn:document", resource)

    def check(self, value, place, what):
        """`place` is the way to the schema, as keys."""
        pointer = "/".join(
            quote(str(key).replace("~", "~0").replace("/", "~1"), safe="~") for key in place
        )
        validator = self.dialect(
            {"$ref": f"urn:document#/{pointer}"},
            registry=self.registry,
            format_checker=self.dialect.FORMAT_CHECKER,
        )
        problems = [
            f"{'.'.join(map(str, e.absolute_path)) or 'it'}: {e.message}"
            for e in validator.iter_errors(value)
        ]
        assert not problems, f"{what}: {'; '.join(problems)}\n{json.dumps(value)[:800]}"


class OpenApi:
    """Calls by operationId, through the gateway of a world; remembers what it has seen."""

    def __init__(self, world):
        self.document = load("openapi.yaml")
        self.judge = Judge(self.document, Draft202012Validator)
        self.world = world
        self.operations = {
            operation["operationId"]: (method, path, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
            if method in METHODS
        }
        self.seen = set()  # (operationId, error code or "OK")
        self.passes = {}  # user -> pass that is served

    def enter(self, user):
        """Gets the user a pass; the first one that enters is who looks at lists."""
        self.passes[str(user)] = self.call("takeToken", {"userId": user}).data["token"]
        wait_until(lambda: self.call("readToken", userId=user).data["status"] == "ACTIVE")

    def _client(self, operation, body):
        """As who may make the call."""
        ((scheme, _),) = (operation.get("security") or [{"": []}])[0].items()
        client = self.world.admin() if scheme == "operatorKey" else self.world.client()
        if scheme == "pass":
            user = str(body["userId"]) if body else next(iter(self.passes))
            client = type(client)(client.port, {"Authorization": f"Bearer {self.passes[user]}"})
        return client

    def call(self, name, body=None, expect="OK", key=None, admin=None, **params):
        """Makes the call; the answer must be as described, and be `expect`: OK, or the code
        of an error. `admin` is a key or pass other than the right one."""
        method, path, operation = self.operations[name]
        url = re.sub(r"{(\w+)}", lambda m: str(params[m[1]]), path)
        headers = {"Idempotency-Key": key} if key else {}
        client = self._client(operation, body)
        if admin is not None:
            client.headers.pop("Authorization", None)
            headers |= {"Authorization": admin} if admin else {}
        if body is not None and expect == "OK":
            at = ("paths", path, method, "requestBody", "content", "application/json", "schema")
            self.judge.check(body, at, f"the body for {name}")
        words = (method.upper(), url, body, headers)
        wanted = expect == "DEPENDENCY_UNAVAILABLE"
        answer = client.call(*words) if wanted else patient(client.call, *words)
        self._check(name, answer)
        code = "OK" if answer.status < 300 else answer.error
        assert code == expect, f"{name}: {answer.status} {answer.body!r}, expected {expect}"
        self.seen.add((name, code))
        return answer

    def _check(self, name, answer):
        method, path, operation = self.operations[name]
        at = ["paths", path, method, "responses"]
        key = str(answer.status) if str(answer.status) in operation["responses"] else "default"
        response = operation["responses"][key]
        if "$ref" in response:
            at = response["$ref"].removeprefix("#/").split("/")
            response = self.document["components"]["responses"][at[-1]]
        else:
            at.append(key)
        kind = answer.headers["content-type"].split(";")[0]
        assert kind in response["content"], f"{name} answered {kind}"
        if kind == "application/json":
            place = (*at, "content", kind, "schema")
            self.judge.check(answer.json, place, f"{name} answered {answer.status}")
        for header in ("idempotent-replayed", "retry-after", "location"):
            described = {h.lower() for h in response.get("headers", {})}
            assert header not in answer.headers or header in described or key == "default", (
                f"{name} answered {answer.status} with {header}, which is not described"
            )


class AsyncApi:
    """Judges records by the channel that they were read from."""

    def __init__(self):
        self.document = load("asyncapi.yaml")
        self.judge = Judge(self.document, Draft7Validator)

    def message(self, channel):
        """The way to the channel's message."""
        (reference,) = self.document["channels"][channel]["messages"].values()
        return tuple(reference["$ref"].removeprefix("#/").split("/"))

    def check(self, channel, value, headers=None):
        place = self.message(channel)
        message = self.document["components"]["messages"][place[-1]]
        if "payload" in message:
            self.judge.check(json.loads(value), (*place, "payload"), channel)
        if "headers" in message:
            self.judge.check(headers, (*place, "headers"), f"headers in {channel}")
