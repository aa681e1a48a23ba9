"""A name server that says what a test tells it: A and SRV records over UDP. It shares no
code with ours and knows just enough of RFC 1035."""

import socket
import struct
import threading

A, SRV = 1, 33


def pack_name(name):
    labels = [label.encode() for label in name.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def read_name(message, at):
    labels = []
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower(), at + 1


class NameServer:
    """`hosts`: name -> addresses; `services`: name -> (priority, weight, port, host). Both
    may be changed at any time; `silent` makes it answer nothing."""

    def __init__(self, port):
        self.hosts = {}
        self.services = {}
        self.silent = False
        self.asked = 0
        self.address = f"127.0.0.1:{port}"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as goodbye:
            goodbye.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while True:
            try:
                message, sender = self.socket.recvfrom(4096)
            except OSError:
                return
            if not message:
                return
            self.asked += 1
            if not self.silent:
                self.socket.sendto(self._answer(message), sender)

    def _answer(self, message):
        name, end = read_name(message, 12)
        kind = struct.unpack_from("!H", message, end)[0]
        data = []
        if kind == A:
            data = [socket.inet_aton(address) for address in self.hosts.get(name, ())]
        if kind == SRV:
            data = [
                struct.pack("!HHH", *numbers) + pack_name(host)
                for *numbers, host in self.services.get(name, ())
            ]
        known = name in self.hosts or name in self.services
        flags = 0x8580 if known else 0x8583  # an answer; NXDOMAIN
        head = message[:2] + struct.pack("!HHHHH", flags, 1, len(data), 0, 0)
        records = [
            b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(record)) + record for record in data
        ]
        return head + message[12 : end + 4] + b"".join(records)
