"""make test: every layer, one line for each, and at the end `N passed, N failed`.

A layer that cannot run is a failure, never a skip. What a layer printed is in
build/test/<layer>.log, and its end is shown when something in it failed.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "deploy/local")]

from harness.engines import PORTS, Engines, Ports, first_port  # noqa: E402
from lint.checks import CHECKS  # noqa: E402

PROGRAM_SECONDS = 300  # for one test program; more means that it hangs
FUZZ_SECONDS = 10  # for one fuzzer
TAIL = 30  # lines shown of what a failed command printed
SHOWN = 8  # failures shown of one layer

# Layers in one row run beside each other: they wait more than they compute.
STAGES = (
    ("lint",),
    ("unit",),
    ("unit-asan",),
    ("servers", "servers-asan"),
    ("api", "api-asan"),
    ("e2e",),
    ("chaos",),
    ("fuzz",),
)


class Layer:
    """Counts of one layer, the file that gets what its programs print, and of each failure
    the end of what its command printed."""

    def __init__(self, name, build):
        self.name = name
        self.passed = self.failed = 0
        self.failures = []
        self.log = build / "test" / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        self.command_at = 0  # where in the log the last command begins

    def note(self, text):
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(text + "\n")

    def command(self, argv, seconds=None, **env):
        """Runs a command into the log; its exit status, or None when time ran out."""
        self.command_at = self.log.stat().st_size
        self.note("+ " + " ".join(map(str, argv)))
        with open(self.log, "ab") as log:
            try:
                done = subprocess.run(
                    argv,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    cwd=ROOT,
                    env=os.environ | env,
                    timeout=seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                self.note(f"It did not end within {seconds} seconds.")
                return None
        return done.returncode

    def count(self, ok, what):
        if ok:
            self.passed += 1
        else:
            self.fail(1, what)

    def fail(self, number, what):
        self.failed += number
        self.note(f"FAILED: {what}")
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.command_at)
            self.failures.append(log.read().splitlines()[-TAIL:])

    def count_junit(self, path, status, what):
        """Adds what a JUnit file says; a program that failed without saying so, or that
        ran nothing, counts as one failure."""
        tests, bad = _junit_totals(path)
        self.passed += tests - bad
        if bad:
            self.fail(bad, f"{bad} of {tests} tests of {what}")
            self.failures[-1][:0] = _junit_failures(path)
        if tests == 0 or (status != 0 and bad == 0):
            self.count(False, f"{what} (exit {status}, {tests} tests reported)")


def _junit_totals(path):
    """(tests, those that did not pass); cmocka writes one root after the other."""
    tests = bad = 0
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return 0, 0
    for suite in re.findall(r"<testsuite\s[^>]*>", text):
        attributes = dict(re.findall(r'(\w+)="(\d+)"', suite))
        tests += int(attributes.get("tests", 0))
        bad += sum(int(attributes.get(k, 0)) for k in ("failures", "errors", "skipped"))
    return tests, bad


def _junit_failures(path):
    """A line for each test that did not pass: its name, and the first of what it says."""
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    said = r'(?:failure|error|skipped)(?: type="[^"]*")?(?: message="|><!\[CDATA\[)([^"&\]\n]*)'
    cases = re.findall(rf"<testcase\s([^>]*)>\s*<{said}", text)
    return [
        ".".join(re.findall(r'\b(?:class)?name="([^"]*)"', case)) + f" did not pass: {why}"
        for case, why in cases
    ]


def _ports(variant):
    """Two builds are tested beside each other, on ports of their own."""
    return first_port() + (PORTS if variant == "asan" else 0)


class Run:
    """All layers, in order."""

    def __init__(self, build):
        self.build = build
        self.layers = []

    def _make(self, variant, *words):
        into = os.path.relpath(self.build / variant, ROOT)  # make splits paths at blanks
        return [
            "make",
            "-s",
            "--no-print-directory",
            f"-j{os.cpu_count()}",
            f"VARIANT={variant}",
            f"B={into}",
            *words,
        ]

    def make(self, layer, variant, *words):
        """Builds into build/<variant>; counts only a failure."""
        if layer.command(self._make(variant, *words)) == 0:
            return True
        layer.count(False, f"make {' '.join(words)} VARIANT={variant}")
        return False

    def variable(self, name, variant):
        """The words of a make variable, such as the paths of test programs."""
        argv = self._make(variant, f"print-{name}")
        return subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()

    def layer(self, name, function, *arguments):
        """Runs one layer and gives it with what is to be printed of it."""
        layer = Layer(name, self.build)
        begin = time.monotonic()
        try:
            function(layer, *arguments)
        except Exception as error:  # whatever it is, the other layers are to run
            layer.count(False, f"{name} could not run: {error}")
        took = time.monotonic() - begin
        counts = f"{layer.passed:>5} passed {layer.failed:>4} failed {took:>7.1f} s"
        report = [f"{name:<14} {counts}"]
        for lines in layer.failures[:SHOWN]:
            report += [f"    {line}" for line in lines]
        if layer.failures:
            report.append(f"    (all of it: {layer.log})")
        return layer, "\n".join(report)

    def stage(self, layers):
        """Runs layers beside each other: {name: (function, arguments…)}."""
        with ThreadPoolExecutor(len(layers)) as pool:
            futures = [pool.submit(self.layer, name, *call) for name, call in layers.items()]
            for future in as_completed(futures):
                layer, report = future.result()
                self.layers.append(layer)
                print(report, flush=True)

    # --- the layers ------------------------------------------------------------------

    def cmocka(self, layer, variable, variant, **env):
        programs = self.variable(variable, variant)
        if not programs:
            layer.count(False, f"{variable} names no program")
            return
        if not self.make(layer, variant, *programs):
            return
        for program in programs:
            with tempfile.TemporaryDirectory() as scratch:
                xml = f"{scratch}/result.xml"
                output = {"CMOCKA_MESSAGE_OUTPUT": "xml", "CMOCKA_XML_FILE": xml}
                status = layer.command([program], PROGRAM_SECONDS, **output, **env)
                if status != 0 and Path(xml).exists():
                    layer.note(Path(xml).read_text(encoding="utf-8", errors="replace"))
                layer.count_junit(xml, status, program)

    def against_servers(self, layer, variant):
        """The store's and the bus's own tests, on servers of their own."""
        if not self.make(layer, variant, "all"):
            return
        with tempfile.TemporaryDirectory(prefix="onrush-test-") as directory:
            os.chmod(directory, 0o711)
            engines = Engines(directory, self.build / variant / "bin", Ports(_ports(variant)))
            try:
                engines.start()
                engines.pg.sql("CREATE ROLE tester SUPERUSER LOGIN PASSWORD 'tester'")
                address = f"host=127.0.0.1 port={engines.pg.port} dbname=onrush"
                env = {
                    "TEST_PG_DSN": f"{address} user=tester password=tester",
                    "TEST_REDIS_URL": engines.redis.url(),
                    "TEST_KAFKA_BROKERS": engines.kafka.brokers(),
                }
                for variable in ("STORE_TESTS", "BUS_TESTS"):
                    self.cmocka(layer, variable, variant, **env)
            finally:
                engines.stop()

    def pytest(self, layer, variant, *folders):
        if not self.make(layer, variant, "all"):
            return
        xml = self.build / "test" / f"{layer.name}.xml"
        xml.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "pytest", "-c", "test/pytest.ini", f"--junitxml={xml}"]
        env = {"ONRUSH_VARIANT": variant, "ONRUSH_TEST_BUILD": str(self.build)}
        env["ONRUSH_TEST_PORTS"] = str(_ports(variant))
        status = layer.command([*argv, *(f"test/{folder}" for folder in folders)], **env)
        layer.count_junit(xml, status, layer.name)

    def fuzz(self, layer):
        """Each target for a short time; what it learns stays in build/fuzz."""
        targets = self.variable("FUZZ", "fuzz")
        if not targets:
            layer.count(False, "there is no fuzz target")
        for target in targets:
            argv = ["CC=clang-14", f"FUZZ={target}", f"FUZZ_SECONDS={FUZZ_SECONDS}", "fuzz-run"]
            layer.passed += self.make(layer, "fuzz", *argv)

    def lint(self, layer):
        for check in CHECKS:
            layer.command_at = layer.log.stat().st_size
            problems = check(self.build)
            layer.note("\n".join([f"+ {check.__name__}", *problems]))
            layer.count(not problems, f"{check.__doc__} ({len(problems)} lines)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="where everything is built")
    parser.add_argument("layers", nargs="*", help="default: all")
    args = parser.parse_args()
    run = Run(ROOT / args.build)
    layers = {
        "lint": (run.lint,),
        "unit": (run.cmocka, "UNIT", "release"),
        "unit-asan": (run.cmocka, "UNIT", "asan"),
        "servers": (run.against_servers, "release"),
        "servers-asan": (run.against_servers, "asan"),
        "api": (run.pytest, "release", "api"),
        "api-asan": (run.pytest, "asan", "api"),
        "e2e": (run.pytest, "release", "e2e"),
        "chaos": (run.pytest, "release", "chaos"),
        "fuzz": (run.fuzz,),
    }
    for name in args.layers:
        if name not in layers:
            parser.error(f"{name} is none of {', '.join(layers)}")
    for names in STAGES:
        if wanted := {n: layers[n] for n in names if n in (args.layers or layers)}:
            run.stage(wanted)
    passed = sum(layer.passed for layer in run.layers)
    failed = sum(layer.failed for layer in run.layers)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
