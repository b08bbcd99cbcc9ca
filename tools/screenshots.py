"""Takes the README's pictures in a headless Chromium: python tools/screenshots.py [FOLDER, docs/pictures when left out]."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pages
from browser import Browser

# Page -> width and height of the window, and what is done before the picture is taken.
PICTURES = {
    "report": (1180, 760, "document.querySelector('#file-2').scrollIntoView()"),
    "devices": (1000, 420, ""),
    "profile": (1180, 860, ""),
    "graph": (1180, 820, ""),
}


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else pages.ROOT / "docs/pictures"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        made = pages.make(Path(folder))
        for name, (width, height, action) in PICTURES.items():
            browser.open(made[name].as_uri(), width, height)
            if action:
                browser.evaluate(f"void ({action.replace('; ', ', ')})")
                browser.evaluate("new Promise(done => setTimeout(done, 300))")
            browser.picture(out / f"{name}.webp")
            print(f"{out / name}.webp: {(out / f'{name}.webp').stat().st_size // 1024} kB")
        if browser.errors:
            sys.exit("\n".join(["The pages' consoles said:", *browser.errors]))


if __name__ == "__main__":
    main()
