"""Which source tree this runs from."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str:
    """The commit of the source tree this runs from, with "+" if it has changes; empty for an installed package."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"],
            cwd=here, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() if (here.parents[2] / ".git").exists() else ""
