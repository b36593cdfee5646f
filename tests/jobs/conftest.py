"""The odd detectors are installed while these tests run."""

from __future__ import annotations

from service import odd_detectors

__all__ = ["odd_detectors"]
