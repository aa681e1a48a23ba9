"""Fixtures of the tests with a browser."""

import pytest
from e2e.rooms import Line
from e2e.visitors import Chromium


@pytest.fixture(scope="module")
def chromium():
    with Chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def shop(module_world):
    module_world.start("queue", "gateway")
    return module_world


@pytest.fixture
def line(shop):
    return Line(shop)


@pytest.fixture
def visit(chromium, shop):
    """Lets somebody with a browser come; afterwards nothing may have been wrong."""

    def come(**options):
        return chromium.visitor(shop.port("gateway"), **options)

    yield come
    assert chromium.send_home() == []
