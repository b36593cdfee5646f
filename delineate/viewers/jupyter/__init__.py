"""Results, images and labels that show themselves in a notebook.

``%load_ext delineate.viewers.jupyter`` once; `Scroller` goes through the slices. The values know
nothing of it: IPython is told the names of their types, and what draws them.
"""

from __future__ import annotations

import sys
from typing import Any

from delineate.errors import MissingExtraError
from delineate.viewers.jupyter.scroller import Scroller

__all__ = ["Scroller", "load_ipython_extension", "register"]


def register(shell: Any = None) -> None:
    """Have values of delineate show themselves.

    Parameters
    ----------
    shell
        An IPython shell; by default the one that this runs in.

    Raises
    ------
    MissingExtraError
        If this does not run in one.
    """
    from delineate.viewers.jupyter import pages

    shell = _running() if shell is None else shell
    formatters = shell.display_formatter.formatters
    for (module, name), (in_full, in_short) in pages.SHOWN.items():
        formatters["text/html"].for_type_by_name(module, name, in_full)
        formatters["text/plain"].for_type_by_name(module, name, _plain(in_short))


def load_ipython_extension(shell: Any) -> None:
    """See ``%load_ext``."""
    register(shell)


def _plain(in_short: Any) -> Any:
    def write(value: Any, printer: Any, _cycle: bool) -> None:
        printer.text(in_short(value))

    return write


def _running() -> Any:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None:
        raise MissingExtraError(
            "expected to run in IPython or a notebook; start one (pip install jupyterlab) and call "
            "this there, or give the shell"
        )
    return shell
