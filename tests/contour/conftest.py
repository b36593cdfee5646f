"""Compiling a kernel takes seconds, once; no test fails for that."""

from hypothesis import settings

settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")
