"""Includes point one way, and each library is included in one folder of common/ only.

base <- crypto <- app <- http <- store, bus <- services
"""

import re

ALLOWED = {
    "base": {"base"},
    "crypto": {"base", "crypto"},
    "app": {"base", "crypto", "app"},
    "http": {"base", "crypto", "app", "http"},
    "store": {"base", "crypto", "app", "http", "store"},
    "bus": {"base", "crypto", "app", "http", "bus"},
}
COMMON = set(ALLOWED)

# The first part of a third-party header's path, and the folder that may include it.
LIBRARIES = {
    "event2": "app",
    "event.h": "app",
    "cjson": "http",
    "nghttp2": "http",
    "libpq-fe.h": "store",
    "hiredis": "store",
    "librdkafka": "bus",
    "openssl": "crypto",
    "zlib.h": "http",
}
# Daemons that work for a service without having its name.
WORKS_FOR = {
    "payment-worker": {"order", "reservation"},
    "keeper": {"order", "coupon", "reservation"},
}
# What several services must agree on: what is written to a topic, and who is served.
CONTRACTS = {"order/order_events.h", "queue/line_rules.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def problems(root):
    """One line for each include that the rules forbid."""
    found = []
    for tree in ("common", "services"):
        for path in sorted((root / tree).rglob("*.[ch]")):
            folder = path.relative_to(root / tree).parts[0]
            for bracket, header in INCLUDE.findall(path.read_text(encoding="utf-8")):
                why = (
                    _library(tree, folder, header)
                    if bracket == "<"
                    else _ours(tree, folder, header)
                )
                if why:
                    found.append(f"{path.relative_to(root)}: includes {header}: {why}")
    return found


def _library(tree, folder, header):
    home = LIBRARIES.get(header.split("/")[0])
    if home is None or (tree == "common" and folder == home):
        return None
    return f"only common/{home} may"


def _ours(tree, folder, header):
    target, _, rest = header.partition("/")
    if not rest:
        return "ours are included by their full path"
    if tree == "common":
        return None if target in ALLOWED[folder] else f"{folder} stands below {target}"
    if target in COMMON or header in CONTRACTS or _may_know(folder, target):
        return None
    return "services share no code"


def _may_know(service, other):
    """A service knows itself; its daemons know it (coupon-publisher knows coupon); the
    operator's command knows all."""
    return (
        other == service
        or service.startswith(other + "-")
        or other in WORKS_FOR.get(service, ())
        or service == "onrush"
    )
