"""What the gateway cannot do any more once it listens. What the fence itself lets through
is test/unit/test_sandbox.c's."""

import os
from pathlib import Path

import pytest
from api.fake_service import FakeService
from harness.client import Client
from harness.world import ADMIN_KEY, ROOT

ROUTES = ROOT / "deploy/gateway/routes.json"
ROOT_ONLY_PORTS = {"release": 907, "asan": 908}  # below 1024, and nobody's


def threads(pid):
    """/proc/…/status of every thread."""
    for path in Path(f"/proc/{pid}/task").glob("*/status"):
        lines = (line.partition(":") for line in path.read_text().splitlines())
        yield {name: value.split() for name, _, value in lines}


def reload(world):
    client = Client(world.admin_port("gateway"), {"Authorization": f"Bearer {ADMIN_KEY}"})
    return client.post("/admin/reload")


def test_every_thread_is_fenced_in(world):
    process = world.start("gateway", ONRUSH_WORKERS=2)
    seen = list(threads(process.pid))
    assert len(seen) >= 3
    for status in seen:
        assert (status["Seccomp"], status["NoNewPrivs"]) == (["2"], ["1"])


def test_it_can_be_left_out(world):
    process = world.start("gateway", ONRUSH_SANDBOX="off")
    assert all(status["Seccomp"] == ["0"] for status in threads(process.pid))


def test_files_that_settings_name_can_be_replaced_and_no_others_read(world):
    inside, outside = world.dir / "inside", world.dir / "outside"
    for directory in (inside, outside):
        directory.mkdir()
        (directory / "new.json").write_text(ROUTES.read_text())
    named = inside / "routes.json"
    named.write_text(ROUTES.read_text())
    world.start("gateway", ONRUSH_ROUTES=named)
    (inside / "new.json").rename(named)
    assert reload(world).data == {"version": 2}
    named.unlink()
    named.symlink_to(outside / "new.json")
    world.expect_error("the new routes are refused, the old ones stay: .*Permission denied")
    refused = reload(world)
    assert refused.error == "ROUTES_REFUSED"
    assert "Permission denied" in refused.json["message"]
    named.unlink()
    named.write_text(ROUTES.read_text())
    assert reload(world).data == {"version": 3}


def test_names_are_looked_up_behind_the_fence(world):
    with FakeService(world.port("coupon")):
        world.start(
            "gateway",
            ONRUSH_PASSES="off",
            ONRUSH_COUPON_URL=f"localhost:{world.port('coupon')}",
            ONRUSH_LOOKUP_MS=100,
        )
        assert world.client().get("/api/v1/coupons/1").status == 200


@pytest.mark.parametrize("options", [(), ("--hold",)])
def test_root_binds_and_becomes_somebody_else(world, variant, options):
    """Who is not root stays who he is."""
    if os.geteuid() == 0:
        world.ports["gateway"] = ROOT_ONLY_PORTS[variant]
    process = world.start("gateway", options=options, ONRUSH_PASSES="off", ONRUSH_USER="nobody")
    pid = process.pid
    if options:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        (pid,) = map(int, children)
    wanted = ["65534"] * 4 if os.geteuid() == 0 else [str(os.geteuid())] * 4
    for status in threads(pid):
        assert status["Uid"] == wanted
        if os.geteuid() == 0:
            assert (status["Gid"], status["Groups"]) == (wanted, ["65534"])
            assert int(status["CapEff"][0], 16) == 0


def test_a_user_that_is_not_there_ends_the_start(world):
    if os.geteuid() != 0:
        world.start("gateway", ONRUSH_USER="nosuchuser")  # has nothing to give up
        return
    world.expect_error("ONRUSH_USER=nosuchuser: there is no such user")
    process = world.start("gateway", wait=False, ONRUSH_USER="nosuchuser")
    process.ended_by_test = True
    assert process.popen.wait(20) == 1
