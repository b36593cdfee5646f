"""The suite that every detector package inherits.

::

    from delineate import Grid, Image
    from delineate.testing import DetectorTests

    class TestBrightSpots(DetectorTests):
        detector_id = "bright-spots"

        def sample(self) -> Image: ...

Each test is a law that a detector has to keep; its docstring says how to mend one that does not.
pytest collects them; :func:`~delineate.testing.check.check` runs them without it, as ``delineate
plugin check`` does. A law that does not apply is skipped with the reason.
"""

from delineate.testing.suite import DetectorTests

__all__ = ["DetectorTests"]
