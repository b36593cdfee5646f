"""Try all laws on a detector, without pytest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal
from unittest import SkipTest

from delineate.delineation.fit import demand_suitable
from delineate.errors import DelineateError
from delineate.imaging import Image
from delineate.plugins import registry
from delineate.plugins.options import parse
from delineate.testing.generated import generated
from delineate.testing.subject import shows
from delineate.testing.suite import DetectorTests

__all__ = ["Verdict", "check", "laws", "suite_of"]

_NONE: Mapping[str, Any] = MappingProxyType({})

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


def suite_of(
    identifier: str,
    image: Image | None = None,
    options: Mapping[str, object] = _NONE,
    equivariant: Mapping[str, float | None] = _NONE,
) -> DetectorTests:
    """The laws for an installed detector.

    Parameters
    ----------
    identifier
        Its id.
    image
        In which it finds something; ``None`` for one that is generated.
    options, equivariant
        As :class:`~delineate.testing.DetectorTests` has them.

    Raises
    ------
    UnknownDetectorError, OptionError
        If there is no such detector, or it has no such options.
    UnsuitableImageError
        If it does not read the image.
    """
    spec = registry.find(identifier)
    parse(spec, options)
    seen = generated(spec.wants) if image is None else image
    demand_suitable(seen, spec)
    given, stated, is_own = options, equivariant, image is None

    class Suite(DetectorTests):
        detector_id = identifier
        options = given
        equivariant = stated

        def sample(self) -> Image:
            return seen

        def test_it_finds_something_in_the_sample(self) -> None:
            """To mend: give an image in which there is something to find."""
            if is_own and not shows(self.found):
                raise SkipTest("it finds nothing in the generated image; give one of your own")
            super().test_it_finds_something_in_the_sample()

    return Suite()


def laws(suite: DetectorTests) -> dict[str, Callable[[], None]]:
    """The laws of a suite by name, in the order of definition; its author's own come first."""
    names = [name for kind in type(suite).__mro__ for name in vars(kind) if name[:5] == "test_"]
    return {name: getattr(suite, name) for name in dict.fromkeys(names)}


def check(suite: DetectorTests) -> Iterator[Verdict]:
    """Try one law after the other; one error that breaks many of them is said once."""
    errors: set[str] = set()
    for name, law in laws(suite).items():
        sentence = name.removeprefix("test_").replace("_", " ")
        began = time.monotonic()
        outcome, reason = _tried(law)
        if outcome == "failed" and reason in errors:
            outcome, reason = "not applicable", "it fails as it did for a law above"
        elif outcome == "failed":
            errors.add(reason)
        took = round(time.monotonic() - began, 2)
        advice = _advice(law) if outcome == "failed" else ""
        yield Verdict(sentence, outcome, reason, advice, took)


def _advice(law: Callable[[], None]) -> str:
    """What a law's docstring says, on one line."""
    words = " ".join((law.__doc__ or "").split())
    return words.removeprefix("To mend: ").replace("``", "`")


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
