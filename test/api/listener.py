"""What the tests' services have in common: a port, and a thread for each connection."""

import socket
import threading


class Listener:
    """Runs `serve(connection)` for each connection, which is closed after it. A subclass has
    its own state in place before it calls __init__: connections may come at once."""

    def __init__(self, port, host="127.0.0.1", buffer=None):
        self.connections = self.open = self.most_open = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server((host, port), backlog=512)
        if buffer is not None:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def stop(self):
        """Takes no more connections; those that are open stay. Twice is fine."""
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def __exit__(self, *_):
        self.stop()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _count(self, change):
        with self.lock:
            self.open += change
            self.most_open = max(self.most_open, self.open)

    def _run(self, connection):
        self._count(1)
        try:
            with connection:
                self.serve(connection)
        except OSError:
            pass  # the gateway went away: it may
        finally:
            self._count(-1)
