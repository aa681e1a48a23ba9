"""How nginx and HAProxy understand the requests in some bytes: they are asked as proxies, by
what reaches a service behind them."""

import os
import pwd
import socket
import subprocess

from api.recorder import Recorder
from onrush_local.host import guarded, wait_until, which

SBIN = ("/usr/sbin", "/usr/local/sbin")  # not in everyone's PATH
NGINX = """
daemon off;
user {me};
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_ignore_client_abort on;  # a client that has said all is no client that is gone
        location / {{ proxy_pass http://127.0.0.1:{service}; }}
    }}
}}
"""
HAPROXY = """
global
    tune.bufsize 65536
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
    option http-buffer-request
frontend door
    bind 127.0.0.1:{port}
    default_backend service
backend service
    server one 127.0.0.1:{service}
"""


class Proxy:
    """One of them, with a recorder behind it."""

    def __init__(self, name, directory, ports):
        self.name, self.port = name, ports.take()
        self.recorder = Recorder(ports.take())
        directory = directory / name
        directory.mkdir()
        conf = directory / "conf"
        me = pwd.getpwuid(os.geteuid()).pw_name
        text = (NGINX if name == "nginx" else HAPROXY).format(
            me=me, dir=directory, port=self.port, service=self.recorder.port
        )
        conf.write_text(text, "utf-8")
        options = ["-p", directory, "-c", conf] if name == "nginx" else ["-db", "-f", conf]
        with open(directory / "output.log", "wb") as output:
            self.popen = subprocess.Popen(
                guarded(list(map(str, [which(name, SBIN), *options])), "KILL"),
                stdout=output,
                stderr=output,
            )
        wait_until(self._listens, 10, name, lambda: self.popen.poll() is None)
        self.recorder.take()

    def _listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.terminate()
        self.popen.wait(10)
        self.recorder.__exit__()

    def ask(self, data):
        """(method, target, body) of the requests that it forwarded; none when it refused or
        waited for more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=15) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except ConnectionError:
                pass
        return [(a.method, a.target, a.body) for a in self.recorder.take() if not a.fault]
