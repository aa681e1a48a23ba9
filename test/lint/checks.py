"""The checks of `make lint`: each is given the build folder and gives a list of problems.
The first line of its doc string is its name in the report.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import layers, sizes

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = Path(sys.executable).parent
SHOWN = 60  # lines of a tool's output


def _files(*patterns):
    """Files of the tree that git knows or would add; without git, all that is not built."""
    listed = shutil.which("git") and subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed and listed.returncode == 0:
        names = [os.fsdecode(n) for n in listed.stdout.split(b"\0") if n]
        paths = [ROOT / name for name in names]
    else:
        paths = [
            p for pattern in patterns or ["*"] for p in ROOT.rglob(pattern) if not _is_built(p)
        ]
    return sorted(p for p in set(paths) if p.is_file())


def _is_built(path):
    parts = path.relative_to(ROOT).parts
    return (
        parts[0] in (".git", "build", ".venv", ".cache", ".run", ".ruff_cache", ".pytest_cache")
        or "__pycache__" in parts
    )


def _tool(argv):
    """The output of a tool that failed, line by line."""
    try:
        done = subprocess.run(
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as error:
        return [f"{argv[0]} cannot be run: {error.strerror}"]
    if done.returncode == 0:
        return []
    return done.stdout.splitlines()[-SHOWN:] or [f"{argv[0]} ended with {done.returncode}"]


def _compile(build, compiler):
    """Every C file with warnings as errors, into a folder of its own."""
    into = Path(os.path.relpath(build, ROOT)) / f"werror-{Path(compiler).name}"
    sources = [p for p in _files("*.c") if "fuzz" not in p.parts]
    objects = [str(into / p.relative_to(ROOT).with_suffix(".o")) for p in sources]
    return _tool(
        [
            "make",
            "-s",
            "-k",
            f"-j{os.cpu_count()}",
            "--no-print-directory",
            f"CC={compiler}",
            "WERROR=1",
            f"B={into}",
            *objects,
        ]
    )


def formatted(_build):
    """C is formatted as clang-format 14 says"""
    return _tool(["clang-format-14", "--dry-run", "-Werror", *map(str, _files("*.c", "*.h"))])


def layered(_build):
    """includes point one way"""
    return layers.problems(ROOT)


def small(_build):
    """files and functions are short"""
    return sizes.problems(ROOT, _files("*.c", "*.h", "*.py"))


def gcc_is_silent(build):
    """gcc has no warning"""
    return _compile(build, "gcc")


def clang_is_silent(build):
    """clang has no warning"""
    return _compile(build, "clang-14")


def scripts(_build):
    """shellcheck has nothing to say about the scripts"""
    paths = [p for p in _files() if _first_line(p).startswith((b"#!/bin/sh", b"#!/bin/bash"))]
    return _tool([str(TOOLS / "shellcheck"), *map(str, paths)])


def _first_line(path):
    with open(path, "rb") as file:
        return file.readline(80)


def python(_build):
    """ruff has nothing to say about the Python"""
    return _tool([str(TOOLS / "ruff"), "check", "-q", "--no-cache", "."]) + _tool(
        [str(TOOLS / "ruff"), "format", "-q", "--no-cache", "--check", "."]
    )


def dockerfiles(_build):
    """hadolint has nothing to say about the Dockerfiles"""
    paths = _files("*Dockerfile*")
    return (
        _tool([str(TOOLS / "hadolint"), *map(str, paths)]) if paths else ["there is no Dockerfile"]
    )


CHECKS = (formatted, layered, small, scripts, python, dockerfiles, gcc_is_silent, clang_is_silent)
