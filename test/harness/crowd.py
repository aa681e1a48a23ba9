"""Many clients at once: asyncio, raw sockets, keep-alive, as many answers as requests.

    answers = crowd(port, [post("/api/v1/coupons", {"userId": 7, "couponId": 1}), …], 200)

Each answer is (status, JSON), or (0, None) when the connection broke before it came:
whether that request took effect is not known.
"""

import asyncio
import json


def post(path, body, headers=None):
    text = json.dumps(body)
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return (
        f"POST {path} HTTP/1.1\r\nHost: onrush\r\nContent-Type: application/json\r\n"
        f"{more}Content-Length: {len(text)}\r\n\r\n{text}"
    ).encode()


def crowd(port, requests, connections):
    """The answers in the order of the requests."""
    return asyncio.run(_crowd(port, list(requests), connections))


async def _crowd(port, requests, connections):
    answers = [(0, None)] * len(requests)
    numbers = iter(range(len(requests)))
    clients = [
        _client(port, requests, numbers, answers) for _ in range(min(connections, len(requests)))
    ]
    await asyncio.gather(*clients)
    return answers


async def _client(port, requests, numbers, answers):
    writer = None
    for number in numbers:
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(requests[number])
            answers[number] = await asyncio.wait_for(_answer(reader), 30)
        except (TimeoutError, OSError, EOFError):
            if writer is not None:
                writer.close()
            writer = None
    if writer is not None:
        writer.close()


async def _answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    body = await reader.readexactly(length)
    return status, json.loads(body) if body else None
