"""The command line: what it prints, its exit codes, and that it starts without loading what it does not need."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import PATIENCE

from twocet import __version__, cli
from twocet.errors import UserError

ROOT = Path(__file__).parents[1]


def _help_texts():
    spec = importlib.util.spec_from_file_location("help_texts", ROOT / "scripts" / "help_texts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HELP = _help_texts()


@pytest.fixture
def command(monkeypatch):
    """Puts a function behind ``twocet transfer`` and returns a way to call it."""

    def call(function, *words, traceback=False):
        monkeypatch.setattr(cli, "load_command", lambda name: function)
        return cli.main([*(["--traceback"] if traceback else []), "transfer", *words])

    return call


def raising(error):
    def function() -> None:
        raise error

    return function


def test_version_is_printed(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"twocet {__version__}\n"


def test_no_command_prints_the_usage_on_stderr_and_exits_2(capsys):
    assert cli.main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("usage: twocet")


def test_unknown_command_names_the_commands_in_one_line(capsys):
    assert cli.main(["frobnicate"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("twocet: 'frobnicate' is not a command")
    assert error.count("\n") == 1
    assert all(name in error for name in cli.COMMANDS)


def test_arguments_reach_the_command(command):
    received = []

    def function(*, strength: float, json: bool = False) -> None:
        received.append((strength, json))

    assert command(function, "--strength", "0.25", "--json") == 0
    assert received == [(0.25, True)]


@pytest.mark.parametrize("words", [["--no-such-option"], ["--strength", "much"], []])
def test_wrong_arguments_exit_2(command, capsys, words):
    def function(*, strength: float) -> None:
        raise AssertionError("must not run")

    assert command(function, *words) == 2
    assert "strength" in capsys.readouterr().err


def test_user_error_is_one_line_and_exits_2(command, capsys):
    assert command(raising(UserError("no face was found\nin a.jpg: try another photo"))) == 2
    assert capsys.readouterr().err == "twocet: no face was found in a.jpg: try another photo\n"


def test_file_trouble_names_the_file_and_exits_2(command, capsys):
    def function() -> None:
        Path("/no/such/folder/out.png").write_bytes(b"")

    assert command(function) == 2
    assert capsys.readouterr().err == "twocet: No such file or directory: /no/such/folder/out.png\n"


def test_interrupt_is_one_line_and_exits_130(command, capsys):
    assert command(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "twocet: interrupted\n"


def test_our_fault_exits_1_and_asks_for_a_report(command, capsys):
    assert command(raising(KeyError("lost"))) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "KeyError: 'lost'" in error
    assert "report" in error


def test_traceback_is_shown_on_request_only(command, capsys, monkeypatch):
    command(raising(UserError("x")))
    assert "Traceback" not in capsys.readouterr().err
    assert command(raising(UserError("x")), traceback=True) == 2
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("TWOCET_TRACEBACK", "1")
    command(raising(UserError("x")))
    assert "Traceback" in capsys.readouterr().err


def test_examples_of_the_docstring_are_in_the_help(command, capsys):
    def function(*, strength: float = 1.0) -> None:
        """Does it.

        Examples:
            twocet transfer a.jpg b.jpg

        Args:
            strength: How far.
        """

    assert command(function, "--help") == 0
    text = capsys.readouterr().out
    assert "twocet transfer a.jpg b.jpg" in text
    assert text.count("How far.") == 1


@pytest.mark.parametrize("file_name", HELP.FILES)
def test_help_text_is_the_recorded_one(file_name):
    recorded = (HELP.FOLDER / file_name).read_text(encoding="utf-8")
    assert HELP.help_text(HELP.FILES[file_name]) == recorded, "run `make help` if the change is meant"


def test_no_help_text_is_left_over():
    assert {path.name for path in HELP.FOLDER.glob("*.txt")} == set(HELP.FILES)


@pytest.mark.parametrize("words", HELP.FILES.values(), ids=lambda words: " ".join(words) or "twocet")
def test_help_loads_neither_torch_nor_numba(words):
    """Help and errors of usage must come at once: torch alone takes seconds to import."""
    code = (
        "import sys; from twocet.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'numba', 'PIL', 'dlib', 'ai_edge_litert'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {' '.join(['twocet', *words])} ")


def test_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "twocet", "--version"], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout) == (0, f"twocet {__version__}\n")


def test_closed_pipe_is_quiet():
    command = f"'{sys.executable}' -m twocet info --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
