"""A declaration that loads a framework; the framework is a stand-in of the test's own."""

import jax  # noqa: F401
from healthy import spec as declared

spec = declared("Labels", id="heavy")
