"""Resolve every dependency anew and write the exact versions into the root's constraint list.

    python scripts/pins.py [--check]

``--check`` only says whether each dependency of the workspace has its pin.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(constraint-dependencies = \[\n).*?(\n\])", re.S)
CHOSEN = ["torch==2.13.0"]
"""Not the newest, on purpose: the training engines and the CPU builds agree on it."""


def resolved() -> list[str]:
    """Every distribution that the workspace can bring along, as ``name==version ; marker``."""
    export = [
        "uv",
        "export",
        "-q",
        "--all-packages",
        "--all-extras",
        "--no-hashes",
        "--no-emit-workspace",
        "--no-annotate",
        "--no-header",
    ]
    lines = subprocess.run(export, check=True, capture_output=True, text=True, cwd=ROOT).stdout.splitlines()
    return sorted({line.strip() for line in lines if "==" in line} | set(CHOSEN))


def write(pins: list[str]) -> None:
    """Put the list into pyproject.toml."""
    path = ROOT / "pyproject.toml"
    body = "\n".join(f'    "{pin}",' for pin in pins)
    path.write_text(BLOCK.sub(lambda m: m[1] + body + m[2], path.read_text()))


def main() -> int:
    """Write the pins, or check them."""
    if "--check" in sys.argv:
        text = BLOCK.search((ROOT / "pyproject.toml").read_text())
        pinned = {re.split(r"[=\s\[]", line.strip().strip('"'))[0] for line in text[0].splitlines()} if text else set()
        missing = [pin for pin in resolved() if re.split(r"[=\s\[]", pin)[0] not in pinned]
        sys.stdout.write(f"not pinned: {missing}; run `make pins`\n" if missing else "")
        return bool(missing)
    write(CHOSEN)
    (ROOT / "uv.lock").unlink(missing_ok=True)
    write(resolved())
    return 0


if __name__ == "__main__":
    sys.exit(main())
