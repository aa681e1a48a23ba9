"""make screenshot: the pictures of the waiting room in docs/images.

Two thousand people wait in a real line that lets four in every second; the picture is taken
when a tenth of the way is done.
"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "deploy/local")]

from e2e.rooms import Line  # noqa: E402
from e2e.visitors import Chromium  # noqa: E402
from harness.crowd import crowd, post  # noqa: E402
from harness.engines import Engines, Ports  # noqa: E402
from harness.world import World  # noqa: E402

PICTURES = {
    "waiting-room": {"width": 640, "height": 480},
    "waiting-room-phone": {
        "width": 320,
        "height": 568,
        "color_scheme": "dark",
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
}
PEOPLE = 2000
DONE = "() => document.getElementById('progress').value >= 10"


def take(world):
    """A line, the people in it, and two who look."""
    world.start("queue", "gateway")
    line = Line(world, maxActive=100_000, rate=4)
    port = world.port("gateway")
    bodies = ({"userId": user, "line": line.number} for user in range(1, PEOPLE))
    crowd(port, [post("/queue/tokens", body) for body in bodies], 50)
    with Chromium() as chromium:
        pages = {}
        for user, (name, look) in enumerate(PICTURES.items(), PEOPLE):
            pages[name] = chromium.visitor(port, **look).open(line.room(user))
        for name, page in pages.items():
            page.wait_for_function(DONE, timeout=180_000)
            page.screenshot(path=ROOT / f"docs/images/{name}.png")
            print(f"docs/images/{name}.png")


def main():
    (ROOT / "docs/images").mkdir(exist_ok=True)
    binaries = ROOT / os.environ.get("B", "build/release") / "bin"
    with tempfile.TemporaryDirectory(prefix="onrush-screenshot-") as directory:
        os.chmod(directory, 0o711)
        engines = Engines(directory, binaries, Ports())
        folder = Path(directory) / "world"
        folder.mkdir()
        try:
            engines.start()
            world = World(engines, folder)
            take(world)
            wrong = world.close()
        finally:
            engines.stop()
    return "\n".join(wrong)


if __name__ == "__main__":
    sys.exit(main())
