"""Fixtures: the session's servers, and worlds. docs/testing.md explains them."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from harness.engines import ROOT, Engines, Ports, prepare_postgres
from harness.world import World

WORLD = pytest.StashKey()


@pytest.fixture(scope="session")
def variant():
    """How the programs under test were compiled: release, or asan."""
    return os.environ.get("ONRUSH_VARIANT", "release")


@pytest.fixture(scope="session")
def binaries(variant):
    path = Path(os.environ.get("ONRUSH_TEST_BUILD", ROOT / "build")) / variant / "bin"
    assert path.is_dir(), f"{path} is missing: build with `make all VARIANT={variant}` first"
    return path.resolve()


@pytest.fixture(scope="session")
def engines(binaries):
    """PostgreSQL, Redis and Kafka, started once. Not under pytest's own directory: that one
    is closed to the user that PostgreSQL runs as."""
    directory = Path(tempfile.mkdtemp(prefix="onrush-test-"))
    directory.chmod(0o711)
    servers = Engines(directory, binaries, Ports())
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def make_world(engines, tmp_path, request):
    """Makes worlds: make_world() shares the session's servers; make_world(redis=True),
    pg=True or kafka=True get a server of their own, which the test may break."""
    made, own = [], []

    def make(**wanted):
        servers = {}
        for name in (n for n, yes in wanted.items() if yes):
            shared = getattr(engines, name)
            server = engines.own(type(shared), name)
            own.append(server)
            servers[name] = server.start()
        if "pg" in servers:
            prepare_postgres(servers["pg"], engines.bin)
        directory = tmp_path / f"world-{len(made)}"
        directory.mkdir()
        made.append(World(engines, directory, **servers))
        request.node.stash[WORLD] = made
        return made[-1]

    yield make
    _end(made, own)


@pytest.fixture
def world(make_world):
    """One world, with the session's servers."""
    return make_world()


@pytest.fixture(scope="module")
def module_world(engines, tmp_path_factory):
    """One world for all tests of a file that only read, or that keep apart by their ids."""
    made = World(engines, tmp_path_factory.mktemp("world"))
    yield made
    _end([made], [])


def _end(worlds, servers):
    wrong = [w for world in worlds for w in world.close()]
    for server in servers:
        server.stop()
    assert not wrong, "the programs did not stay clean:\n  " + "\n  ".join(wrong[:40])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows the end of its programs' logs."""
    report = yield
    if report.failed:
        worlds = list(item.stash.get(WORLD, []))
        if "module_world" in getattr(item, "funcargs", {}):
            worlds.append(item.funcargs["module_world"])
        for world in worlds:
            for process in world.processes.values():
                report.sections.append((f"log of {process.name}", process.tail()))
    return report
