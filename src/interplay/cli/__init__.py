"""The command line: ``interplay VERB …``. Nothing heavy is imported before the verb that needs it."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from interplay import __version__
from interplay.errors import InterplayError

VERBS = {
    "demo": "recognise unseen playground episodes with the shipped models and write a page of pictures",
    "list": "what there is: recipes, models, datasets, layouts",
    "train": "train a recipe",
    "evaluate": "score a model, or predictions from a file",
    "predict": "name the interactions in files",
    "reproduce": "run the rows of a paper's table or figure on the data given",
    "report": "write one HTML page about a run",
    "export": "write a model as ONNX",
    "data": "check, convert or count a data set",
}
"""Verb → one line of help. Each lives in ``interplay.cli.<verb>`` and offers ``main(argv) -> int``."""

USAGE = """usage: interplay VERB [...]

Recognise interactions: from raw recordings to named intervals.

verbs:
{verbs}

  interplay VERB --help    the arguments of a verb
  interplay --version

Bad input ends with one line and exit code 2; add --debug for the whole traceback.
"""


def _usage() -> str:
    return USAGE.format(verbs="\n".join(f"  {verb:<10} {text}" for verb, text in VERBS.items()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code: 0, 1 where some inputs were bad, 2 for bad input, 130 when interrupted."""
    # Not list(…): once its verb is imported, `list` is a module of this package.
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage(), end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"interplay {__version__}")
        return 0
    verb = arguments[0]
    try:
        if verb not in VERBS:
            near = difflib.get_close_matches(verb, VERBS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InterplayError(f"unknown verb {verb!r}{hint} (one of {', '.join(VERBS)})")
        module = import_module(f"interplay.cli.{verb}")
        return int(module.main(arguments[1:]))
    except SystemExit as stop:  # an argument parser has said its line already
        return stop.code if isinstance(stop.code, int) else 2
    except BrokenPipeError:
        # The reader (head, less) has gone: not an error. Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        if debug:
            raise
        print("interplay: interrupted", file=sys.stderr)
        return 130
    except (InterplayError, OSError) as error:
        if debug:
            raise
        print(f"interplay: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
