"""Onrush's gateway, nginx and HAProxy, each configured for the same work, and the backend
behind them.

The work: clients keep their connections, so do the connections to the backend; the path
is rewritten; Host, X-Forwarded-For, X-Forwarded-Proto and an X-Request-Id go along and the
id comes back; heads, bodies, connections and every wait are limited, and so is each
address's rate, at a limit that the load does not reach; the access log is off or has a line
for each request, with the same fields, in a file. nginx has room for as many
kept connections to the backend as there are clients; HAProxy has 64, and takes whole requests
before it forwards them: of all that was tried, these were their best settings.
"""

import os
import pwd
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

from onrush_local.host import Trouble, guarded, which
from processes import memory, tree

PATH = "/api/v1/products/ranks"  # at a gateway
TARGET = "/products/ranks"  # at the backend
LARGE_PATH = "/api/v1/orders/1"
LARGE_TARGET = "/orders/1"
LARGE_SIZE = 50_000_000
CONNECTIONS = 20_000  # that a contender takes, or as many as it may open
RATE = 1_000_000  # requests a second that an address may make
BODY = '{"code":200,"message":"OK"}'
SBIN = ("/usr/sbin", "/usr/local/sbin")  # not in everyone's PATH
ME = pwd.getpwuid(os.geteuid()).pw_name

NGINX = """
daemon off;
user {me};
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
worker_processes {workers};
worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server_tokens off;
    tcp_nodelay on;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    {http}
}}
"""
NGINX_BACKEND = """
    access_log off;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = {target} {{ return 200 '{body}'; }}
        location = {large_target} {{ alias {dir}/large; }}
    }}
"""
NGINX_PROXY = """
    log_format json escape=json '{{"ts":"$time_iso8601","level":"info","svc":"nginx",'
        '"msg":"request","id":"$request_id","peer":"$remote_addr",'
        '"method":"$request_method","path":"$uri","route":"$proxy_host",'
        '"status":$status,"seconds":$request_time,"upstream":"$proxy_host",'
        '"server":"$upstream_addr","upstream_seconds":"$upstream_response_time",'
        '"bytes":$bytes_sent}}';
    access_log {log};
    client_header_timeout 5s;
    client_body_timeout 10s;
    send_timeout 10s;
    client_max_body_size 64k;
    large_client_header_buffers 4 16k;
    limit_conn_zone $server_port zone=connections:1m;
    limit_conn connections {connections};
    limit_req_zone $binary_remote_addr zone=addresses:1m rate={rate}r/s;
    limit_req zone=addresses burst={rate} nodelay;
    proxy_connect_timeout 1s;
    proxy_read_timeout 10s;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Request-Id $request_id;
    add_header X-Request-Id $request_id always;
    upstream backend {{
        server 127.0.0.1:{backend};
        keepalive 4096;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096 reuseport;
        location = {path} {{ proxy_pass http://backend{target}; }}
        location = {large_path} {{ proxy_pass http://backend{large_target}; }}
    }}
"""
HAPROXY = """
global
    nbthread {workers}
    maxconn {connections}
    tune.http.maxhdr 64
    {global_log}
defaults
    mode http
    timeout connect 1s
    timeout client 75s
    timeout server 10s
    timeout queue 2s
    timeout http-request 5s
    timeout http-keep-alive 75s
    option forwardfor
    option http-buffer-request
    http-reuse always
    {log}
frontend door
    bind 127.0.0.1:{port} backlog 4096
    maxconn {connections}
    unique-id-format %[uuid()]
    unique-id-header X-Request-Id
    http-request track-sc0 src table addresses
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {rate} }}
    http-request deny deny_status 413 if {{ req.body_size gt 65536 }}
    http-request set-header X-Forwarded-Proto http
    http-request set-path {target} if {{ path {path} }}
    http-request set-path {large_target} if {{ path {large_path} }}
    http-response set-header X-Request-Id %[unique-id]
    default_backend services
backend services
    server one 127.0.0.1:{backend} maxconn 64
backend addresses
    stick-table type ip size 100k expire 10s store http_req_rate(1s)
"""
HAPROXY_LOG = (
    'log-format \'{"ts":"%tr","level":"info","svc":"haproxy","msg":"request","id":"%ID",'
    '"peer":"%ci","method":"%HM","path":"%HP","route":"%b","status":%ST,"ms":%Ta,"upstream":"%b",'
    '"server":"%si:%sp","tries":%rc,"upstream_ms":%Tr,"bytes":%B}\''
)
HAPROXY_SLOW = """
global
    lua-load {lua}
defaults
    mode http
    timeout client 75s
frontend service
    bind 127.0.0.1:{port} backlog 4096
    http-request lua.work {milliseconds}
    http-request return status 200 content-type application/json string '{body}'
"""
SPARE_FILES = 300


def _open_files():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def pinned(cpus):
    """The beginning of a command that runs on these processors."""
    return ["taskset", "--cpu-list", ",".join(map(str, sorted(cpus)))]


class Server:
    """A program that listens on a port. `room` is how many clients it has room for."""

    def __init__(self, name, argv, port, directory, cpus, room=CONNECTIONS, **env):
        self.name, self.port = name, port
        self.room = min(room, _open_files() - SPARE_FILES)
        argv = [*pinned(cpus), *argv]
        with open(directory / "output.log", "wb") as output:
            self.popen = subprocess.Popen(
                guarded(list(map(str, argv)), "KILL"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ["PATH"], **env},
            )
        self._wait(directory)

    def _wait(self, directory):
        end = time.monotonic() + 10
        while self.popen.poll() is None and time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        tail = "\n    ".join((directory / "output.log").read_text("utf-8").splitlines()[-5:])
        raise Trouble(f"{self.name} does not listen on port {self.port}:\n    {tail}")

    def pids(self):
        return tree(self.popen.pid)

    def cpu_seconds(self):
        """Of all its threads, to the nanosecond."""
        total = 0
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                    total += int(stat.read().split()[0])
        return total / 1e9

    def pss(self):
        """Bytes, of all its processes."""
        return sum(memory(pid).pss for pid in self.pids())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def _nginx(directory, http, workers):
    directory.mkdir(parents=True, exist_ok=True)
    conf = directory / "nginx.conf"
    text = NGINX.format(
        me=ME, dir=directory, workers=workers, files=min(2 * CONNECTIONS, _open_files()), http=http
    )
    conf.write_text(text, "utf-8")
    return [which("nginx", SBIN), "-p", directory, "-c", conf]


def backend(binary, directory, port, workers, cpus):
    """It costs as little as it can."""
    directory.mkdir(parents=True, exist_ok=True)
    argv = [binary, f"127.0.0.1:{port}", workers]
    return Server("the backend", argv, port, directory, cpus)


def large_backend(directory, port, cpus):
    """It has something large, too."""
    http = NGINX_BACKEND.format(
        port=port, target=TARGET, large_target=LARGE_TARGET, body=BODY, dir=directory
    )
    argv = _nginx(directory, http, 1)
    with open(directory / "large", "wb") as large:
        large.truncate(LARGE_SIZE)
    return Server("the backend", argv, port, directory, cpus)


def slow_backend(directory, port, milliseconds, cpus):
    """It answers after so long, however many ask."""
    directory.mkdir(parents=True, exist_ok=True)
    conf = directory / "slow.cfg"
    lua = Path(__file__).parent / "slow.lua"
    text = HAPROXY_SLOW.format(lua=lua, port=port, milliseconds=milliseconds, body=BODY)
    conf.write_text(text, "utf-8")
    argv = [which("haproxy", SBIN), "-db", "-f", conf]
    return Server("the slow backend", argv, port, directory, cpus)


def nginx(directory, port, backend_port, workers, log, cpus):
    http = NGINX_PROXY.format(
        log=f"{directory}/access.log json buffer=64k flush=1s" if log else "off",
        connections=CONNECTIONS,
        rate=RATE,
        port=port,
        backend=backend_port,
        path=PATH,
        target=TARGET,
        large_path=LARGE_PATH,
        large_target=LARGE_TARGET,
    )
    return Server("nginx", _nginx(directory, http, workers), port, directory, cpus)


def haproxy(directory, port, backend_port, workers, log, cpus):
    directory.mkdir(parents=True, exist_ok=True)
    conf = directory / "haproxy.cfg"
    room = min(CONNECTIONS, (_open_files() - SPARE_FILES) // 2)  # it reserves two files for each
    text = HAPROXY.format(
        workers=workers,
        connections=room,
        rate=RATE,
        global_log="log stdout format raw daemon" if log else "",
        log=f"log global\n\t{HAPROXY_LOG}" if log else "",
        port=port,
        backend=backend_port,
        path=PATH,
        target=TARGET,
        large_path=LARGE_PATH,
        large_target=LARGE_TARGET,
    )
    conf.write_text(text, "utf-8")
    argv = [which("haproxy", SBIN), "-db", "-f", conf]
    return Server("haproxy", argv, port, directory, cpus, room)


def onrush(binary, directory, port, backend_port, workers, log, cpus, **settings):
    directory.mkdir(parents=True, exist_ok=True)
    env = {
        "ONRUSH_LISTEN": f"127.0.0.1:{port}",
        "ONRUSH_ADMIN_LISTEN": "",
        "ONRUSH_ORDER_URL": f"127.0.0.1:{backend_port}",
        "ONRUSH_PASSES": "off",
        "ONRUSH_WORKERS": str(workers),
        "ONRUSH_ACCESS_LOG": "1" if log else "0",
        "ONRUSH_ADDRESS_TRUSTED": "",  # the load comes from this host, and is counted
        "ONRUSH_ADDRESS_RATE": str(RATE),
        "ONRUSH_ADDRESS_BURST": str(RATE),
    }
    return Server("onrush", [binary], port, directory, cpus, **(env | settings))
