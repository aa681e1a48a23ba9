"""The tables of a bench, as Markdown for people and JSON for programs."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One load: what its generator said, the CPU seconds that each program used, and how
    many cores were busy with something else: the figures hold when that is next to none."""

    name: str
    result: dict
    cpu: dict
    others: float

    @property
    def decisions(self):
        statuses = self.result["statuses"]
        return statuses.get("200", 0) + statuses.get("409", 0)

    def cpu_us(self, program):
        """Per answer, warm-up included on both sides."""
        return self.cpu[program] * 1e6 / max(1, self.result["answers"])


@dataclass(frozen=True)
class Asked:
    """A figure that was asked for."""

    what: str
    limit: str
    measured: float
    unit: str
    kept: bool


def table(head, rows):
    """Markdown, the first column left, the others right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _milliseconds(run):
    return [f"{run.result[key] / 1e3:.2f}" for key in ("p50_us", "p95_us", "p99_us", "max_us")]


def _ratio(run, runs):
    """Of the rate to that of the bare chain with as many in flight."""
    bare = {
        "one request, idle": "bare chain, 1 in flight",
        "coupons, 256 connections": "bare chain, 256 in flight",
    }.get(run.name)
    rates = {r.name: r.result["rate"] for r in runs}
    return f"{run.result['rate'] / rates[bare]:.2f}" if bare else ""


def runs_table(runs):
    return table(
        [
            "run",
            "requests",
            "errors",
            "decisions",
            "per second",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "max ms",
            "to the bare chain",
        ],
        [
            [
                run.name,
                f"{run.result['requests']:,}",
                run.result["errors"],
                f"{run.decisions:,}",
                f"{run.result['rate']:,.0f}",
                *_milliseconds(run),
                _ratio(run, runs),
            ]
            for run in runs
        ],
    )


def cpu_table(runs):
    programs = list(runs[0].cpu)
    rows = []
    for run in runs:
        own = run.result["cpu_seconds"] * 1e6 / max(1, run.result["answers"])
        cells = [f"{run.cpu_us(p):.1f}" for p in programs]
        rows.append([run.name, *cells, f"{own:.1f}", f"{run.others:.2f}"])
    return table(["CPU µs per request", *programs, "load", "cores for others"], rows)


def memory_table(memories):
    return table(
        ["idle memory, MB", "RSS", "PSS"],
        [[name, f"{m.rss / 1e6:.1f}", f"{m.pss / 1e6:.1f}"] for name, m in memories.items()],
    )


def asked_table(asked):
    return table(
        ["asked", "limit", "measured", ""],
        [
            [
                a.what,
                a.limit,
                f"{a.measured:,.{0 if a.unit == '/s' else 2}f} {a.unit}",
                "yes" if a.kept else "NO",
            ]
            for a in asked
        ],
    )


def write(directory, runs, memories, asked, proof):
    """Writes bench.md and bench.json, the latter also under its time; gives the text."""
    when = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    text = (
        "\n\n".join(
            [
                f"# Bench of {when}, {os.cpu_count()} cores",
                runs_table(runs),
                cpu_table(runs),
                memory_table(memories),
                asked_table(asked),
                "```\n" + proof.strip() + "\n```",
            ]
        )
        + "\n"
    )
    numbers = {
        "time": when,
        "cores": os.cpu_count(),
        "runs": [
            {
                "name": r.name,
                **r.result,
                "others_cores": r.others,
                "cpu_us": {p: r.cpu_us(p) for p in r.cpu},
            }
            for r in runs
        ],
        "memory": {name: asdict(m) for name, m in memories.items()},
        "asked": [asdict(a) for a in asked],
    }
    directory = Path(directory)
    (directory / "bench.md").write_text(text, encoding="utf-8")
    for name in ("bench", f"bench-{when}"):
        (directory / f"{name}.json").write_text(json.dumps(numbers, indent=2), encoding="utf-8")
    return text
