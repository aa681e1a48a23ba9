"""What the local stack asks of the machine: ports and who holds them, programs and where
they are, waiting with a deadline. Standard library only.

Everything that goes wrong here is a Trouble: one sentence for the person in front of the
terminal, that says what is wrong and what to do about it.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path


class Trouble(Exception):
    """A sentence that says what is wrong and what to do."""


def which(name, places=()):
    """The path of a program, looked for in `places` first."""
    for place in places:
        candidate = Path(place) / name
        if os.access(candidate, os.X_OK):
            return str(candidate)
    found = shutil.which(name)
    if found is None:
        raise Trouble(f"The program '{name}' is missing: run deploy/local/setup to install it.")
    return found


def run(argv, what, **options):
    """Runs a command to its end and gives its output; Trouble with `what` when it fails."""
    try:
        done = subprocess.run(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **options,
        )
    except OSError as error:
        raise Trouble(f"{what}: {argv[0]} cannot be run ({error.strerror}).") from error
    if done.returncode != 0:
        tail = "\n    ".join(done.stdout.strip().splitlines()[-8:])
        raise Trouble(f"{what} ({Path(argv[0]).name} ended with {done.returncode}):\n    {tail}")
    return done.stdout


def guarded(argv, death_signal, user=None):
    """The command as one that gets this signal when the thread that started it dies,
    however that happens, and that runs as `user` when we are root."""
    become = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
    return [which("setpriv"), "--pdeathsig", death_signal, *become, "--", *argv]


@contextmanager
def exclusively(path):
    """Holds a lock file, so that two runs do not do the same work into the same place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def short_dir(path):
    """The directory itself, or one under /tmp that is only ours when a socket in it would
    have too long a path (108 bytes are the kernel's limit)."""
    if len(str(path)) < 80:
        return path
    short = Path("/tmp") / f"onrush-{os.geteuid()}-{sha256(str(path).encode()).hexdigest()[:12]}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.geteuid():
        raise Trouble(f"{short} belongs to someone else; remove it.")
    return short


def wait_until(ready, seconds, what, alive=None):
    """Asks `ready` until it says true; Trouble after `seconds` or when `alive` says no."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while not ready():
        if alive is not None and not alive():
            raise Trouble(f"{what} ended before it was ready.")
        if time.monotonic() > deadline:
            raise Trouble(f"{what} was not ready after {seconds} seconds.")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def port_is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_holder(port):
    """Who listens on a TCP port: (pid or None, 'pid 812 (nginx: master process)')."""
    inodes, owner = set(), None
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
                owner = int(fields[7])
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if _holds_any(pid, inodes):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            return int(pid), f"pid {pid} ({command.decode(errors='replace').strip()[:120]})"
    if owner is not None and os.geteuid() != 0:
        return None, f"a process of user id {owner} (run as root to see which)"
    return None, "a process that cannot be seen from here (in another container?)"


def _holds_any(pid, inodes):
    try:
        fds = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    for fd in fds:
        try:
            if os.readlink(f"/proc/{pid}/fd/{fd}") in inodes:
                return True
        except OSError:
            continue
    return False


def _stat(pid):
    """State, parent and what follows them in /proc; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()


def parent_of(pid):
    """None when there is no such process (any more)."""
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def has_ended(pid):
    """A zombie has: in a container whose process 1 reaps nothing it stays one."""
    stat = _stat(pid)
    return stat is None or stat[0] == "Z"


def is_child_of(pid, ancestor):
    while pid is not None and pid > 1:
        if pid == ancestor:
            return True
        pid = parent_of(pid)
    return False


def family(pid):
    """A process and its children, the parent first."""
    others = map(int, filter(str.isdigit, os.listdir("/proc")))
    return [pid, *(other for other in others if parent_of(other) == pid)]


def runs(pid):
    """The process is there and has not ended: one that nobody has waited for has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def require_port(port, name, variable, ours=None):
    """Trouble that names the holder when the port is taken by anyone but a child of the
    process `ours`."""
    if port_is_free(port):
        return
    pid, words = port_holder(port)
    if ours is None or not is_child_of(pid, ours):
        raise Trouble(
            f"Port {port}, meant for {name}, is taken by {words}. "
            f"Stop that, or choose another port with {variable}=<port>."
        )


def free_port(start, stop=32768):
    """A port below `stop` that is free now. Never an ephemeral one (32768 and above): a
    client that retries a closed port there can end up connected to itself."""
    for port in range(start, stop):
        if port_is_free(port):
            return port
    raise Trouble(f"There is no free port between {start} and {stop}.")
