"""The ``twocet`` command: a table of commands imported when called, and one place that answers for errors."""

from __future__ import annotations

import errno
import inspect
import os
import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple, cast

from twocet import __version__
from twocet.commands.messages import as_flags
from twocet.commands.words import did_you_mean, refuse_slips, spelled
from twocet.errors import UserError
from twocet.runtime.interrupt import ended_by_signals

EXIT_DONE = 0
EXIT_OUR_FAULT = 1
EXIT_USER_INPUT = 2
EXIT_INTERRUPTED = 130

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
"""What is no fault of the program though no file is named."""


class Command(NamedTuple):
    """One line of the command table."""

    where: str
    """``module:function``; the function's annotations are its options and its docstring is its help."""
    summary: str


COMMANDS = {
    "transfer": Command("twocet.commands.transfer:transfer", "give a face the expression of another face"),
    "neutralize": Command("twocet.commands.neutralize:neutralize", "remove a face's expression"),
    "sample": Command("twocet.commands.sample:sample", "give a face random expressions"),
    "continuum": Command("twocet.commands.continuum:continuum", "give a face one expression in exact steps"),
    "batch": Command("twocet.commands.batch:batch", "do every edit that a table (CSV) lists"),
    "video": Command("twocet.commands.video:video", "move a still face as a film does, or edit the face in a film"),
    "presets": Command("twocet.commands.presets:presets", "list, save and remove named expressions"),
    "verify": Command("twocet.commands.verify:verify", "read the marks of pictures and films, by any program"),
    "marks": Command("twocet.commands.marks:marks", "make or show the certificate that signs pictures"),
    "serve": Command("twocet.commands.serve:serve", "open the web page: drop photos, drag the slider, download"),
    "demo": Command("twocet.commands.demo:demo", "run the packaged model on the packaged example photos"),
    "prepare": Command("twocet.commands.prepare:prepare", "turn face photos into a dataset folder"),
    "synth": Command("twocet.commands.synth:synth", "render synthetic faces with exact ground truth"),
    "synth lab": Command("twocet.commands.synth_lab:synth_lab", "render a laboratory set after CFEE's plan"),
    "train": Command("twocet.commands.train:train", "train a model on a dataset folder"),
    "import-authors": Command(
        "twocet.commands.import_authors:import_authors", "turn a checkpoint of the paper's authors into a model file"
    ),
    "export": Command("twocet.commands.export:export", "write a model as ONNX, to run it faster or without PyTorch"),
    "figure": Command("twocet.commands.figure:figure", "draw the paper's figures from a model and a dataset"),
    "evaluate": Command("twocet.commands.evaluate:evaluate", "measure a model on a dataset folder with ground truth"),
    "compare": Command(
        "twocet.commands.compare:compare", "train 2CET, StarGAN v2 and GANimation alike and compare them (Table 1)"
    ),
    "ablate": Command("twocet.commands.compare:ablate", "take parts of the method away and compare (Table 3)"),
    "study make": Command("twocet.commands.study:make", "make a human study: a page for raters, and its key (Table 2)"),
    "study serve": Command("twocet.commands.study:serve", "open a study's page for raters and collect their answers"),
    "study analyze": Command("twocet.commands.study:analyze", "analyse the answers: tables, intervals, agreement"),
    "info": Command("twocet.commands.info:info", "say what a model is and what it was trained on"),
}

_REPEATABLE = ("--keep",)

EXAMPLES = """\
examples:
  twocet transfer me.jpg smile.jpg -o out.png --strength 0.8
  twocet neutralize smile.jpg -o neutral.png
  twocet sample me.jpg -n 8 -o samples
  twocet info default"""


def usage() -> str:
    """The text of ``twocet --help``."""
    width = max(map(len, COMMANDS))
    table = "\n".join(f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items())
    return f"""\
usage: twocet [--version] [--traceback] COMMAND ...

Transfers facial expressions between photos and keeps who the person is.

commands (twocet COMMAND --help shows options and examples):
{table}

options:
  -h, --help    show this text
  --version     show the version
  --traceback   show where an error came from (also: TWOCET_TRACEBACK=1)

{EXAMPLES}

exit code: 0 done, 2 the input was wrong, 1 the program failed"""


def _names() -> str:
    return ", ".join(COMMANDS)


def load_command(name: str) -> Callable[..., None]:
    """Import the function behind a command."""
    module, function = COMMANDS[name].where.split(":")
    return cast("Callable[..., None]", getattr(import_module(module), function))


def run_command(name: str, arguments: Sequence[str]) -> None:
    """Parse a command's arguments and run it; wrong arguments end the process with exit code 2."""
    import tyro

    _refuse_repetition(arguments)
    refuse_slips(arguments)
    function = load_command(name)
    text = inspect.getdoc(function) or ""
    # An option's help is one paragraph: the parser would keep the line breaks of the source.
    function.__doc__ = re.sub(r"\n {8,}(?=\S)", " ", text)
    tyro.cli(
        function,
        prog=f"twocet {name}",
        description=_description(text),
        args=list(arguments),
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName),
    )


def _description(text: str) -> str:
    """A docstring up to its arguments, with paragraphs as wide as the terminal.

    They are indented because the parser joins lines that begin with a letter.
    """
    text, _, examples = text.partition("\nArgs:\n")[0].rstrip().partition("\n\nexamples:")
    wrap = textwrap.TextWrapper(
        min(shutil.get_terminal_size().columns, 120),
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    summary, *paragraphs = text.split("\n\n")
    return "\n".join([summary, *map(wrap.fill, paragraphs)]) + (examples and f"\n\nexamples:{examples}")


def _refuse_repetition(arguments: Sequence[str]) -> None:
    """Raises UserError for an option given twice, of which the parser would take the last in silence."""
    given = [word.partition("=")[0] for word in arguments if word.startswith("--")]
    for option in dict.fromkeys(given):
        if given.count(option) > 1 and option not in _REPEATABLE:
            raise UserError(
                f"{option} is given twice: give it once (where it takes several values, one after another)."
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: The words after ``twocet``; those of the process if not given.
    """
    _give_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    show_traceback = os.environ.get("TWOCET_TRACEBACK", "") not in ("", "0")
    while words and words[0] == "--traceback":
        show_traceback = True
        words.pop(0)
    if not words or words[0] in ("-h", "--help"):
        print(usage(), file=sys.stdout if words else sys.stderr)
        return EXIT_DONE if words else EXIT_USER_INPUT
    if words[0] == "--version":
        print(f"twocet {__version__}")
        return EXIT_DONE
    words = spelled(words)
    length = 2 if " ".join(words[:2]) in COMMANDS else 1
    name, rest = " ".join(words[:length]), words[length:]
    try:
        if name not in COMMANDS:
            hint = did_you_mean(" ".join(words[:2]), COMMANDS) or did_you_mean(name, COMMANDS)
            raise UserError(f"{name!r} is not a command{hint or f': choose one of {_names()}, or see twocet --help'}")
        with ended_by_signals():
            run_command(name, rest)
        sys.stdout.flush()
    except SystemExit as stop:
        return _exit_code(stop)
    except BaseException as error:
        if show_traceback:
            traceback.print_exc()
        return _report(error, name)
    return EXIT_DONE


def _give_streams() -> None:
    """A service may start us without standard streams: what is printed goes nowhere then, and not into some file."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process


def _exit_code(stop: SystemExit) -> int:
    if stop.code is None:
        return EXIT_DONE
    return stop.code if isinstance(stop.code, int) else EXIT_OUR_FAULT


def _report(error: BaseException, name: str) -> int:
    """Say in one line on standard error what went wrong; return the exit code."""
    if isinstance(error, UserError):
        message, code = as_flags(" ".join(str(error).split())), EXIT_USER_INPUT
    elif isinstance(error, KeyboardInterrupt):
        message, code = "interrupted", EXIT_INTERRUPTED
    elif isinstance(error, BrokenPipeError):
        # The reader (head, less) has gone: end quietly.
        _drop_output()
        return EXIT_DONE
    elif isinstance(error, OSError) and (error.filename is not None or error.errno in _DISK):
        where = "a file or the output" if error.filename is None else os.fsdecode(error.filename)
        message, code = f"{error.strerror}: {where}", EXIT_USER_INPUT
        _drop_output()
    elif isinstance(error, MemoryError) or _is_out_of_memory(error):
        message, code = (
            "there is not enough memory for this: use smaller pictures, networks or batches",
            EXIT_USER_INPUT,
        )
    elif isinstance(error, Exception):
        what = " ".join(f"{type(error).__name__}: {error}".split())
        report = f"please report it with the output of: twocet --traceback {name} ..."
        message = f"this is a fault of the program ({what}); {report}"
        code = EXIT_OUR_FAULT
    else:
        raise error
    print(f"twocet: {message}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """Point the interpreter's last flush elsewhere where the output takes no more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether torch says so, which has no type of its own for it on the processor."""
    return isinstance(error, RuntimeError) and ("allocate memory" in str(error) or "out of memory" in str(error))
