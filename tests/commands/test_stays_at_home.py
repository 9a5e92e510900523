"""What leaves the computer: nothing, and nothing is left in the home folder that was not asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from waiting import PATIENCE

from twocet.commands.demo import example_pairs

_WITHOUT_NETWORK = ("unshare", "--map-root-user", "--net")


def _works_without_network() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_WITHOUT_NETWORK, "true"], capture_output=True, check=False).returncode == 0


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.skipif(not _works_without_network(), reason="networks can be taken away on Linux alone")
def test_editing_signing_and_verifying_need_no_network_and_leave_the_home_folder_alone(tmp_path):
    """The whole program with the packaged model, in processes of their own: ten seconds on an idle machine."""
    home = tmp_path / "home"
    home.mkdir()
    pair = example_pairs()[0]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment |= {"HOME": str(home)}

    def twocet(*words):
        line = [*_WITHOUT_NETWORK, sys.executable, "-m", "twocet", *map(str, words)]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    twocet("transfer", pair.target, pair.reference, "-o", tmp_path / "out.jpg")
    assert "found in 1 of 1 faces" in twocet("verify", tmp_path / "out.jpg")
    assert everything_in(home) == []
    if find_spec("c2pa") is None:
        return
    twocet("marks", "init")
    asked_for = everything_in(home)
    assert [name.rpartition("/")[2] for name in asked_for if name.endswith(".pem")] == [
        "chain.pem",
        "key.pem",
        "root.pem",
    ]
    twocet("transfer", pair.target, pair.reference, "-o", tmp_path / "signed.jpg")
    assert "C2PA       valid, signer not trusted" in twocet("verify", tmp_path / "signed.jpg")
    assert everything_in(home) == asked_for
