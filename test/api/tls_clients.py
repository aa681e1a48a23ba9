"""Clients with TLS: Python's, openssl's, and beginnings of some."""

import contextlib
import socket
import ssl
import subprocess

GET = b"GET /payments/1 HTTP/1.1\r\nHost: shop.example\r\n\r\n"


def connect(port, context, name="shop.example", session=None, timeout=10):
    raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    try:
        return context.wrap_socket(
            raw, server_hostname=name, session=session, suppress_ragged_eofs=False
        )
    except BaseException:
        raw.close()
        raise


def read_answer(s):
    """The status and the body of one answer with a length."""
    received = bytearray()
    while b"\r\n\r\n" not in received:
        more = s.recv(65536)
        assert more, "the connection ended before an answer"
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < size:
        body += s.recv(65536)
    return int(head.split(b" ")[1]), bytes(body)


def ask(s, request=GET):
    s.sendall(request)
    return read_answer(s)


def s_client(port, *options):
    """What openssl s_client says, which asks for nothing and leaves."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options],
        input=b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=20,
        check=False,
    )
    return done.stdout.decode("latin-1")


def client_hello():
    """The first bytes of a real client."""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="shop.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def is_closed(s):
    with contextlib.suppress(ConnectionError):
        while s.recv(65536):
            pass
    return True
