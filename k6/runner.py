"""What the runners beside this file share: a script against the local stack, then a proof
from the database, and the report.

    k6/results/<name>.json       what k6 measured
    k6/results/<name>.txt .html  for people, with the proof at the end
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from html import escape
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "deploy/local"))

from onrush_local.books import Books  # noqa: E402
from onrush_local.host import Trouble  # noqa: E402
from onrush_local.local import LocalStack  # noqa: E402

RESULTS = ROOT / "k6/results"


MEMORY_KIB = 8 << 20  # ten thousand people alone are 3 GB


def collector():
    """k6 runs on the cores that it measures: it collects its garbage when its memory is full,
    not all the time. More memory is not better: each page that nobody has used before costs
    a page fault, and in a virtual machine perhaps one of the host's as well, which together
    cost more than collecting (70 us of 190 for each request of ten thousand people)."""
    with open("/proc/meminfo", encoding="ascii") as file:
        free_kib = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    return {"GOGC": "off", "GOMEMLIMIT": f"{min(free_kib * 3 // 4, MEMORY_KIB)}KiB"}


class Runner:
    """One run of k6/<name>.js."""

    def __init__(self, name):
        self.name = name
        self.stack = LocalStack(ROOT / ".run", ROOT / os.environ.get("B", "build/release") / "bin")
        self.settings = self.stack.settings()
        if not self.settings:
            raise Trouble("There is no local stack yet: run `make run`.")
        self.url = self.settings["ONRUSH_URL"]
        self.books = Books(self.settings)

    def file(self, kind):
        return RESULTS / f"{self.name}.{kind}"

    def call(self, path, body=None, method=None):
        """The data of an answer; with a body it is usually a POST. With the operator's key."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.settings['ONRUSH_ADMIN_KEY']}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Trouble(f"{path} was answered with {error.read().decode()}") from error
        except OSError as error:
            raise Trouble(f"{self.url} is not reachable ({error}): run `make run`.") from error

    def k6(self, **settings):
        """Runs the script; true when all thresholds were kept."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        for kind in ("json", "txt", "html"):
            self.file(kind).unlink(missing_ok=True)
        environment = os.environ | {
            "BASE_URL": self.url,
            "RESULTS": str(RESULTS),
            "K6_NO_USAGE_REPORT": "true",
            **collector(),
            **settings,
        }
        script = [str(ROOT / ".cache/bin/k6"), "run", str(ROOT / f"k6/{self.name}.js")]
        done = subprocess.run(script, env=environment, cwd=ROOT, check=False)
        if not self.file("json").exists():
            raise Trouble(f"k6 ended with {done.returncode} and left no result (see above).")
        return done.returncode == 0

    def values(self, metric):
        """What k6 says of a metric; {} when nothing was counted."""
        metrics = json.loads(self.file("json").read_text("utf-8"))["metrics"]
        return metrics.get(metric, {"values": {}})["values"]

    def count(self, counter):
        return round(self.values(counter).get("count", 0))

    def report(self, proof):
        """Adds the proof to what people read."""
        print(proof)
        with open(self.file("txt"), "a", encoding="utf-8") as text:
            text.write("\n" + proof)
        page = self.file("html").read_text("utf-8")
        page = page.replace("</body>", f"<h2>Proof</h2>\n<pre>{escape(proof)}</pre>\n</body>")
        self._check(page)
        self.file("html").write_text(page, encoding="utf-8")

    def _check(self, page):
        """The page is whole: it can be parsed, and the figures are in it."""
        try:
            text = "".join(ElementTree.fromstring(page).itertext())
        except ElementTree.ParseError as error:
            raise Trouble(f"{self.file('html')} is not well-formed: {error}.") from error
        figures = [
            f"{self.count('http_reqs')} (",
            f"{self.values('http_req_duration')['p(99)']:.2f}",
        ]
        if missing := [f for f in figures if f not in text]:
            raise Trouble(f"{self.file('html')} does not say {', '.join(missing)}.")


def compare(rows):
    """(good, lines) of rows (what, as clients saw it, as PostgreSQL holds it)."""
    wrong = [what for what, seen, there in rows if seen != there]
    lines = [f"  {'':24}{'clients':>16}{'PostgreSQL':>16}"]
    lines += [f"  {what:24}{seen:>16,}{there:>16,}" for what, seen, there in rows]
    lines += [f"  BROKEN: {what} must be the same in both" for what in wrong]
    return not wrong, lines


def main(run, limits):
    """run() gives (kept, proven, runner); limits is the variable that asks for less."""
    try:
        kept, proven, runner = run()
    except Trouble as trouble:
        return str(trouble)
    print(f"k6/results/{runner.name}.html is the report; .txt and .json are beside it.")
    if proven and not kept:
        print("The proof is clean, but a threshold was BROKEN (above). The limits are for an idle")
        print(f"machine; {limits} asks for less.")
    return 0 if kept and proven else 1
