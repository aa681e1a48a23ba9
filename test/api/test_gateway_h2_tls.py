"""HTTP/2 by TLS: who gets it, and h2spec, the conformance suite, before the gateway."""

import json
import ssl
import subprocess
from pathlib import Path

import pytest
from api.authority import Authority
from api.fake_service import FakeService, response
from api.h2_client import Client, head

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def secure(world, tmp_path):
    """Starts the gateway with TLS before a service with one path; gives the authority."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("shop", "shop.example")
    routes = {
        "services": {"s": {"servers": "$ONRUSH_ORDER_URL"}},
        "routes": [
            {"method": "GET", "path": "/spec", "service": "s"},
            {"method": "POST", "path": "/spec", "service": "s", "body_bytes": 16_000},
            {"method": "POST", "path": "/long", "service": "s", "body_bytes": 100_000},
        ],
    }
    file = tmp_path / "routes.json"
    file.write_text(json.dumps(routes), encoding="utf-8")
    settings = {
        "ONRUSH_ROUTES": str(file),
        "ONRUSH_TLS_LISTEN": f"127.0.0.1:{world.port('tls')}",
        "ONRUSH_TLS_CERT": str(certificate),
        "ONRUSH_TLS_KEY": str(key),
    }

    def seen(request):
        return response(200, request.header("x-forwarded-proto").encode())

    with FakeService(world.port("order"), seen):
        yield lambda **more: world.start("gateway", **settings, **more)


def offering(*protocols):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return lambda sock: context.wrap_socket(sock, server_hostname="shop.example")


def test_who_offers_it_gets_it(world, secure):
    secure()
    with Client(world.port("tls"), wrap=offering("http/1.1", "h2")) as client:
        assert client.sock.selected_alpn_protocol() == "h2"
        assert client.get("/spec").body == b"https"
        stream = client.ask(head("POST", "/long", ("content-length", "90000")), end=False)
        client.upload(stream, bytes(90_000))
        assert client.answer(stream).status == 200


@pytest.mark.parametrize("setting", ["on", "off"])
def test_others_get_http_1(world, secure, setting):
    secure(ONRUSH_HTTP2=setting)
    url = f"https://127.0.0.1:{world.port('tls')}/spec"
    version = "--http1.1" if setting == "on" else "--http2"
    done = subprocess.run(
        ["curl", "-sSk", version, "-w", " %{http_version}", url],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == b"https 1.1"


def test_h2spec(world, secure):
    secure()
    subprocess.run([ROOT / "test/tools/h2spec/build.sh"], check=True, timeout=300)
    command = f"-t -k -h localhost -p {world.port('tls')} -P /spec --timeout 5"
    done = subprocess.run(
        [ROOT / ".cache/bin/h2spec", *command.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[done.stdout.find("Failures:") :]
    assert "145 tests, 145 passed, 0 skipped, 0 failed" in done.stdout
