"""Kafka 3.9.1 (KRaft, one node) as a private server.

    .cache/kafka/<key>/lib/*.jar       from Maven Central, as kafka/pom.xml pins them
    .cache/kafka/<key>/classes-*.jsa   class-data archive: halves start time and CPU

<key> stands for the pom, so another version is another folder. The archive is good for
one build of the JVM and one list of jars (its name carries the JVM's build); with
another the JVM ignores it, which costs only the gain.
"""

import glob
import os
import shutil
import socket
import struct
import tempfile
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from .engine import FILES, Engine
from .host import exclusively, free_port, run, which

POM = FILES / "kafka" / "pom.xml"
CACHE = Path(os.environ.get("ONRUSH_CACHE", FILES.parent.parent / ".cache")) / "kafka"


class Kafka(Engine):
    """Broker and controller in one process; the controller's port is the next one."""

    name = "kafka"

    def __init__(self, directory, port, controller_port=None, heap="256m", record_to=None):
        super().__init__(directory, port)
        self.controller_port = controller_port or port + 1
        self.heap = heap
        self.record_to = record_to  # a class-data archive is written there at its end
        self.properties = self.dir / "server.properties"

    def prepare(self):
        super().prepare()
        if self.record_to is None:
            install()
        text = (FILES / "kafka" / "server.properties.in").read_text(encoding="utf-8")
        self.properties.write_text(
            text.format(dir=self.dir, port=self.port, controller=self.controller_port),
            encoding="utf-8",
        )
        if not (self.dir / "data" / "meta.properties").exists():
            self._format()

    def _format(self):
        options = ["--cluster-id", "T25ydXNoIGxvY2FsIHN0aw", "-c", str(self.properties)]
        run(
            [*self._java("64m"), "kafka.tools.StorageTool", "format", *options],
            f"Kafka's storage in {self.dir} could not be formatted",
        )

    def command(self):
        options = [f"-XX:ArchiveClassesAtExit={self.record_to}"] if self.record_to else []
        return [*self._java(self.heap, options), "kafka.Kafka", str(self.properties)]

    def _java(self, heap, options=()):
        """C1 only: half the CPU on a small machine, and not slower there. The parallel
        collector with two threads stops the broker for 3 ms where the serial one takes 7,
        which is what clients see at the 99th percentile. The jars are listed one by one:
        the archive holds for this list."""
        jars = ":".join(sorted(map(str, (_home() / "lib").glob("*.jar"))))
        return [
            _jvm(),
            *(options or [f"-XX:SharedArchiveFile={_archive()}"]),
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseParallelGC",
            "-XX:ParallelGCThreads=2",
            f"-Xmx{heap}",
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self.dir}",  # a broker that is killed leaves files there
            f"-Dlog4j.configuration=file:{FILES}/kafka/log4j.properties",
            "-cp",
            jars,
        ]

    def ready(self):
        return broker_is_listed("127.0.0.1", self.port)

    def brokers(self):
        return f"127.0.0.1:{self.port}"


def broker_is_listed(host, port):
    """True when a Metadata request (v1, no topics) is answered with at least one broker.
    The protocol itself, because kcat -L rounds the wait up to a second."""
    request = struct.pack(">hhih5si", 3, 1, 1, 5, b"ready", 0)
    try:
        with socket.create_connection((host, port), timeout=2) as s:
            s.sendall(struct.pack(">i", len(request)) + request)
            head = s.makefile("rb").read(12)  # size, correlation id, count of brokers
    except OSError:
        return False
    return len(head) == 12 and struct.unpack(">i", head[8:])[0] > 0


@lru_cache
def _home():
    return CACHE / sha256(POM.read_bytes()).hexdigest()[:12]


@lru_cache
def _jvm():
    """Java 17 where Debian puts it, or the first java of the path."""
    places = glob.glob("/usr/lib/jvm/java-17-openjdk-*/bin/java")
    return which("java", map(os.path.dirname, places))


@lru_cache
def _archive():
    build = run([_jvm(), "-version"], "Java does not run")
    return _home() / f"classes-{sha256(build.encode()).hexdigest()[:8]}.jsa"


def install():
    """Fetches the jars and makes the archive, once."""
    if _archive().exists():
        return
    with exclusively(CACHE / "lock"):
        if not (_home() / "lib").exists():
            _fetch()
        if not _archive().exists():
            _make_archive()


def _fetch():
    print("Fetching Kafka 3.9.1 from Maven Central (45 MB, once).", flush=True)
    fresh = Path(tempfile.mkdtemp(prefix="fetch-", dir=CACHE))
    try:
        run(
            [
                which("mvn"),
                "-B",
                "-q",
                "-f",
                str(POM),
                "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={fresh}",
            ],
            "Kafka's jars could not be fetched from Maven Central (https://repo.maven.apache.org). "
            "Check the network, or name a mirror in ~/.m2/settings.xml, or set "
            "ONRUSH_KAFKA_BROKERS to a broker you have",
        )
        _home().mkdir(exist_ok=True)
        fresh.rename(_home() / "lib")
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _make_archive():
    """Runs a broker once and lets the JVM write down which classes it loaded."""
    with tempfile.TemporaryDirectory(prefix="onrush-kafka-") as scratch:
        port = free_port(20000)
        fresh = _home() / "fresh.jsa"
        broker = Kafka(scratch, port, free_port(port + 1), record_to=fresh)
        broker.start()
        broker.stop()
        fresh.rename(_archive())
