"""Files under 500 lines, functions under 60."""

FILE_LINES = 500
FUNCTION_LINES = 60


def problems(root, paths):
    """One line for each file or function that is too long."""
    found = []
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines()
        name = path.relative_to(root)
        if len(lines) > FILE_LINES:
            found.append(f"{name}: {len(lines)} lines, {FILE_LINES} are allowed")
        if path.suffix == ".c":
            found += _long_functions(name, lines)
    return found


def _long_functions(name, lines):
    """In KNF a function's braces, and nothing else, stand alone in the first column."""
    found, begin = [], None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin is not None:
            if number - begin + 1 > FUNCTION_LINES:
                found.append(f"{name}:{begin}: a function of {number - begin + 1} lines")
            begin = None
    return found
