"""The tables of a bench, as Markdown for people and JSON for programs."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Settled:
    """What became of the orders of a run: those that were settled within its measured time,
    a second; the most that ever waited; ms from created to settled as PostgreSQL says; ms
    until a client saw it, sorted; seconds until the last was settled after the run."""

    rate: float
    most_waiting: int
    p50: float
    p99: float
    seen: list
    drained: float


@dataclass
class Run:
    """One load: what its generator said, the CPU seconds that each program used, and how
    many cores were busy with something else: the figures hold when that is next to none."""

    name: str
    result: dict
    cpu: dict
    others: float
    settled: Settled | None = None  # of orders

    @property
    def rate(self):
        return self.result["rate"]

    @property
    def decisions(self):
        statuses = self.result["statuses"]
        return statuses.get("200", 0) + statuses.get("409", 0)

    def ms(self, quantile):
        return self.result[f"{quantile}_us"] / 1e3

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

    @classmethod
    def at_least(cls, what, limit, measured, unit="/s"):
        return cls(what, f"≥ {limit:,}{unit}", measured, unit, measured >= limit)

    @classmethod
    def at_most(cls, what, limit, measured, unit):
        return cls(what, f"< {limit:,} {unit}", measured, unit, measured < limit)


def table(head, rows):
    """Markdown, the first column left, the others right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _milliseconds(run):
    return [f"{run.ms(key):.2f}" for key in ("p50", "p95", "p99", "max")]


def _ratio(run, runs):
    """Of the rate to that of the bare chain with as many in flight."""
    bare = {
        "one request, idle": "bare chain, 1 in flight",
        "coupons, 256 connections": "bare chain, 256 in flight",
    }.get(run.name)
    rates = {r.name: r.rate for r in runs}
    return f"{run.rate / rates[bare]:.2f}" if bare else ""


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
                f"{run.rate:,.0f}",
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


def settled_table(runs):
    return table(
        [
            "orders",
            "settled/s",
            "most waiting",
            "to settled p50 ms",
            "p99 ms",
            "seen by a client p50 ms",
            "max ms",
            "of",
            "all settled after s",
        ],
        [
            [
                run.name,
                f"{run.settled.rate:,.0f}",
                f"{run.settled.most_waiting:,}",
                f"{run.settled.p50:.1f}",
                f"{run.settled.p99:.1f}",
                *(f"{t:.1f}" for t in (median(run.settled.seen), run.settled.seen[-1])),
                len(run.settled.seen),
                f"{run.settled.drained:.2f}",
            ]
            for run in runs
            if run.settled
        ],
    )


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
                f"{a.measured:,.{2 if a.unit in ('ms', 'MB', 'times') else 0}f} {a.unit}",
                "yes" if a.kept else "NO",
            ]
            for a in asked
        ],
    )


def write(directory, runs, memories, asked, proof):
    """Writes bench.md and bench.json, the latter also under its time; gives the text."""
    when = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    parts = [
        f"# Bench of {when}, {os.cpu_count()} cores",
        runs_table(runs) if runs else "",
        settled_table(runs) if any(run.settled for run in runs) else "",
        cpu_table(runs) if runs else "",
        memory_table(memories) if memories else "",
        asked_table(asked),
        f"```\n{proof.strip()}\n```" if proof else "",
    ]
    text = "\n\n".join(filter(None, parts)) + "\n"
    numbers = {
        "time": when,
        "cores": os.cpu_count(),
        "runs": [
            {
                "name": r.name,
                **r.result,
                "others_cores": r.others,
                "cpu_us": {p: r.cpu_us(p) for p in r.cpu},
                "settled": asdict(r.settled) if r.settled else None,
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
