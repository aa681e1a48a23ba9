"""What the programs of a stack cost: CPU time and memory, from /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def _fields(pid):
    """/proc/PID/stat after the name, which may contain anything: field 3 comes first."""
    return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()


def tree(pid):
    """The process and all that descend from it."""
    children = {}
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            children.setdefault(int(_fields(other)[1]), []).append(int(other))
        except OSError:
            continue
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu_seconds(pid):
    """Of the process, its descendants, and those of them that have ended."""
    ticks = 0
    for one in tree(pid):
        try:
            fields = _fields(one)
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
        if one == pid:
            ticks += int(fields[13]) + int(fields[14])
    return ticks / TICK


@dataclass(frozen=True)
class Memory:
    rss: int  # bytes
    pss: int  # bytes; shared pages divided among those who share them


def memory(pid):
    """Of one process."""
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]:
        name, size = line.split()[:2]
        sizes[name] = int(size) * 1024
    return Memory(sizes["Rss:"], sizes["Pss:"])


def open_files_limit(pid):
    for line in Path(f"/proc/{pid}/limits").read_text("ascii").splitlines():
        if line.startswith("Max open files"):
            return int(line.split()[3])
    raise LookupError("Max open files")


def machine_seconds():
    """CPU time of the whole machine, without idling and waiting for disks."""
    user, nice, system, _, _, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / TICK


class Watch:
    """The CPU time that groups of processes use from its making on."""

    def __init__(self, groups):
        """groups: name -> pids."""
        self.groups = groups
        self.began = time.monotonic()
        self.machine_before = machine_seconds()
        self.before = self._now()

    def _now(self):
        return {name: sum(map(cpu_seconds, pids)) for name, pids in self.groups.items()}

    def used(self):
        """name -> seconds."""
        now = self._now()
        return {name: now[name] - self.before[name] for name in self.groups}

    def others(self, ours):
        """How many cores everything else on the machine kept busy; `ours` in seconds."""
        busy = machine_seconds() - self.machine_before
        return max(0.0, busy - ours) / (time.monotonic() - self.began)
