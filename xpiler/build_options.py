"""`-I` and `-D` of the commands that read programs, as compilers take them."""

from __future__ import annotations

import argparse
from pathlib import Path

from xpiler.errors import Refusal


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """Adds them to a command's parser."""
    group = parser.add_argument_group(
        "the build", "what a `compile_commands.json` above the file says is known already"
    )
    group.add_argument(
        "-I", dest="folders", action="append", default=[], metavar="DIR", help="look for headers"
    )
    group.add_argument(
        "-D", dest="macros", action="append", default=[], metavar="NAME[=BODY]", help="define a macro"
    )


def state_build(arguments: argparse.Namespace) -> None:
    """What a command line says of the build holds from here on. Raises Refusal for a folder that is none."""
    if not hasattr(arguments, "folders"):
        return
    from xpiler.frontend.build_flags import from_words, state

    for folder in arguments.folders:
        if not Path(folder).is_dir():
            raise Refusal("build", f"-I {folder}: there is no such folder")
    for macro in arguments.macros:
        if not macro.partition("=")[0].partition("(")[0].isidentifier():
            remedy = "write -D NAME or -D NAME=BODY"
            raise Refusal("build", f"-D {macro}: a macro needs a name", remedy=remedy)
    words = [*(f"-I{folder}" for folder in arguments.folders), *(f"-D{macro}" for macro in arguments.macros)]
    state(from_words(words, Path.cwd()))
