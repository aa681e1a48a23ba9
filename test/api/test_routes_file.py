"""The gateway's route file: what is refused, with the place; what a file that replaces
another one changes, and what it must not touch."""

import json
import signal
import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from api.coupons import wait_until
from api.fake_service import FakeService, response

BUILT_IN = Path(__file__).parents[2] / "deploy" / "gateway" / "routes.json"
RELOADS = "onrush_gateway_reloads_total"


def document(*routes, **services):
    return {
        "//": "of a test",
        "services": {name: {"servers": servers} for name, servers in services.items()},
        "routes": list(routes),
    }


def route(path, service="a", method="GET", **more):
    return {"method": method, "path": path, "service": service, **more}


@pytest.fixture
def routes(world, tmp_path):
    """Writes the route file of the world's gateway."""
    path = tmp_path / "routes.json"

    def write(content):
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        path.write_text(text, encoding="utf-8")

    write.path = path
    return write


@pytest.fixture
def services(world):
    """Two services that say who they are and what they were asked."""
    with ExitStack() as stack:
        made = {}
        for name in "ab":
            say = lambda r, name=name: response(200, f"{name} {r.target}".encode())  # noqa: E731
            made[name] = stack.enter_context(FakeService(world.port(name), say))
        yield made


@pytest.fixture
def gateway(world, routes, services):
    """Starts the gateway with this file."""

    def start(content, **settings):
        routes(content)
        world.start("gateway", ONRUSH_ROUTES=routes.path, **settings)
        return world.client("gateway")

    return start


def reload(world, result="taken"):
    """Makes the gateway look at its file again, and waits until it has."""
    client = world.client("gateway")
    name = f'{RELOADS}{{result="{result}"}}'
    before = client.metrics()[name]
    world["gateway"].popen.send_signal(signal.SIGHUP)
    wait_until(lambda: client.metrics()[name] == before + 1)


def both(world):
    return {name: f"127.0.0.1:{world.port(name)}" for name in "ab"}


# --- what a route does ------------------------------------------------------------------


def test_routes_are_found_and_paths_rewritten(world, gateway):
    client = gateway(
        document(
            route("/x/{id}"),
            route("/x/mine", "b"),
            route("/x/{id}/y/{other}", target="/{other}/of/{id}"),
            route("/files/{path...}", "b", target="/f/{path...}"),
            route("/here", "b", host="other.example"),
            route("/here"),
            **both(world),
        )
    )
    for path, want in {
        "/x/7": "a /x/7",
        "/x/mine": "b /x/mine",
        "/x/7/y/a%20b": "a /a%20b/of/7",
        "/files/a/b%20c?q=1": "b /f/a/b%20c?q=1",
        "/here": "a /here",
    }.items():
        assert client.get(path).body.decode() == want
    assert client.get("/here", headers={"Host": "Other.example:1"}).body == b"b /here"
    for path in ("/files/", "/files/..", "/files/a/%2e%2E/b", "/files/a%2fb", "/x/", "/x/7/y"):
        assert client.get(path).error == "NOT_FOUND", path


def test_limits_of_a_route(world, gateway, services):
    over = threading.Event()
    services["b"].behave = lambda _: over.wait(20) and response()
    client = gateway(
        document(
            route("/small", method="POST", body_bytes=10),
            route("/slow", "b", deadline_ms=50),
            **both(world),
        )
    )
    assert client.post("/small", b"x" * 10).status == 200
    assert client.post("/small", b"x" * 11).error == "BODY_TOO_LARGE"
    assert client.get("/slow").error == "TIMEOUT"
    over.set()


def test_calls_of_a_key_go_to_one_server(world, gateway):
    servers = ",".join(both(world).values())
    client = gateway(
        document(route("/users/{user}/x", key="user"), route("/any"), a=servers),
        ONRUSH_WORKERS=1,
    )
    seen = {}
    for n in range(200):
        user = n % 20
        seen.setdefault(user, set()).add(client.get(f"/users/{user}/x").body[:1])
    assert all(len(servers) == 1 for servers in seen.values())
    assert len(set.union(*seen.values())) == 2


def test_a_route_may_forbid_retries(world, gateway, services):
    def break_off(_):
        raise OSError

    services["a"].behave = break_off
    servers = ",".join(both(world).values())
    client = gateway(
        document(route("/again"), route("/once", retry=False), a=servers),
        ONRUSH_WORKERS=1,
        ONRUSH_EJECT_FAILURES=1000,
    )
    assert {client.get("/again").status for _ in range(20)} == {200}
    assert {client.get("/once").status for _ in range(40)} == {200, 502}


# --- files that are not right -----------------------------------------------------------

BAD = {
    "nothing": ("", "line 1, column 1: "),
    "no JSON": ("{\n  nonsense }", "line 2, column 3: "),
    "no routes": ('{"services":{"a":{"servers":"x:1"}}}', '"routes" must be an array'),
    "misspelt": (
        '{"services":{"a":{"servers":"x:1"}},\n "routes":[\n  {"mehtod":"GET"}]}',
        'line 3, column 3: there is no member "mehtod" here',
    ),
    "no service": (document(route("/", "c"), a="x:1"), '"services" has no c'),
    "no setting": (document(route("/"), a="$HOME"), "there is no setting HOME"),
    "no address": (document(route("/"), a="x"), '"x" is not host:port'),
    "twice": (document(route("/{x}"), route("/{y}"), a="x:1"), "route 1 has the same"),
    "unknown": (document(route("/", target="/{z}"), a="x:1"), '"path" has no {z}'),
}


def check(world, path):
    """onrush-gateway --check."""
    return subprocess.run(
        [world.engines.bin / "onrush-gateway", "--check"],
        env={"ONRUSH_ROUTES": str(path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_the_place(world, routes, name):
    content, why = BAD[name]
    routes(content)
    done = check(world, routes.path)
    assert done.returncode == 1
    assert str(routes.path) in done.stderr and why in done.stderr, done.stderr
    assert "line " in done.stderr


def test_the_check_accepts_what_is_right(world, routes):
    assert check(world, BUILT_IN).stdout == "ok\n"
    assert check(world, "").stdout == "ok\n"
    routes.path.unlink(missing_ok=True)
    assert check(world, routes.path).returncode == 1


def test_the_program_does_not_start_with_a_bad_file(world, routes):
    world.expect_error(".*")
    routes("{}")
    process = world.start("gateway", wait=False, ONRUSH_ROUTES=routes.path)
    assert process.popen.wait(20) == 1
    process.ended_by_test = True
    assert "line 1, column 1" in process.log.read_text("utf-8")


# --- another file while the gateway runs ------------------------------------------------


def test_a_bad_file_changes_nothing(world, gateway, routes):
    world.expect_error("the new routes are refused")
    client = gateway(document(route("/x"), **both(world)))
    routes('{"services": {}}')
    reload(world, "refused")
    assert client.get("/x").body == b"a /x"
    routes(document(route("/x", "b"), **both(world)))
    reload(world)
    wait_until(lambda: client.get("/x").body == b"b /x")


def test_a_server_that_cannot_be_found_changes_nothing(world, gateway, routes):
    world.expect_error("the new routes are refused")
    client = gateway(document(route("/x"), **both(world)))
    routes(document(route("/x"), a="no.such.host.invalid:80"))
    reload(world, "refused")
    assert client.get("/x").body == b"a /x"


def test_requests_under_way_keep_their_routes(world, gateway, routes, services):
    over = threading.Event()
    services["a"].behave = lambda _: over.wait(20) and response(200, b"of before")
    client = gateway(document(route("/x", deadline_ms=30000), **both(world)), ONRUSH_WORKERS=1)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.get, "/x")
        wait_until(lambda: services["a"].requests)
        routes(document(route("/y", "b"), b=both(world)["b"]))
        reload(world)
        wait_until(lambda: client.get("/y").status == 200)
        assert client.get("/x").error == "NOT_FOUND"
        over.set()
        assert call.result().body == b"of before"


@pytest.mark.parametrize("workers", [1, 3])
def test_files_change_under_load(world, gateway, routes, services, workers):
    """Every request is answered as the old or the new file says."""
    one = document(route("/x"), route("/same"), **both(world))
    two = document(route("/x", "b"), route("/same"), **both(world))
    client = gateway(one, ONRUSH_WORKERS=workers)
    answers, over = Counter(), threading.Event()

    def ask(path):
        while not over.is_set():
            answer = client.get(path)
            answers.update([answer.body.decode() if answer.status == 200 else answer.error])

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(ask, path) for path in ["/x", "/same"] * 3]
        try:
            for n in range(10):
                routes(two if n % 2 == 0 else one)
                reload(world)
                name = "b /x" if n % 2 == 0 else "a /x"
                before = answers[name]
                wait_until(lambda b=before, name=name: answers[name] > b + 20)
        finally:
            over.set()
        for call in calls:
            call.result()
    assert set(answers) == {"a /x", "b /x", "a /same"}


def test_the_built_in_file_is_the_one_that_is_installed(world, routes):
    """Its services have the servers that the settings name."""
    with FakeService(world.port("coupon")):
        world.start("gateway", ONRUSH_ROUTES=BUILT_IN)
        assert world.client("gateway").get("/api/v1/coupons/7").json["target"] == "/coupons/7"
        world.stop("gateway")
        world.start("gateway")
        assert world.client("gateway").get("/api/v1/coupons/7").json["target"] == "/coupons/7"


def test_the_documentation_has_every_setting(world):
    """As the program prints them; all else of docs/gateway.md is prose."""
    printed = subprocess.run(
        [world.engines.bin / "onrush-gateway", "--settings-markdown"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    text = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")
    assert len(rows) > 30
    assert rows == text[text.index("\n## Settings") :].splitlines()[-len(rows) :]
