"""Try all laws on a detector, without pytest."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from unittest import SkipTest

from delineate.errors import DelineateError
from delineate.testing.suite import DetectorTests

__all__ = ["Verdict", "check", "laws"]

Outcome = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one law went.

    Parameters
    ----------
    law
        As a sentence.
    outcome
        What became of it.
    reason
        Why it failed or does not apply; empty if it passed.
    advice
        How to mend it; empty unless it failed.
    seconds
        How long it took.
    """

    law: str
    outcome: Outcome
    reason: str = ""
    advice: str = ""
    seconds: float = 0.0


def laws(suite: DetectorTests) -> dict[str, Callable[[], None]]:
    """The laws of a suite by name, in the order of definition; its author's own come first."""
    names = [name for kind in type(suite).__mro__ for name in vars(kind) if name[:5] == "test_"]
    return {name: getattr(suite, name) for name in dict.fromkeys(names)}


def check(suite: DetectorTests) -> Iterator[Verdict]:
    """Try one law after the other."""
    for name, law in laws(suite).items():
        sentence = name.removeprefix("test_").replace("_", " ")
        began = time.monotonic()
        outcome, reason = _tried(law)
        took = round(time.monotonic() - began, 2)
        advice = inspect.cleandoc(law.__doc__ or "") if outcome == "failed" else ""
        yield Verdict(sentence, outcome, reason, advice.removeprefix("To mend: "), took)


def _tried(law: Callable[[], None]) -> tuple[Outcome, str]:
    try:
        law()
    except SkipTest as reason:
        return "not applicable", str(reason)
    except (AssertionError, DelineateError) as error:
        return "failed", str(error) or type(error).__name__
    except Exception as error:  # whatever a stranger's detector does
        return "failed", f"{type(error).__name__}: {error}"
    return "passed", ""
