"""The odd detectors are installed while these tests run, and there is a PostgreSQL server."""

from __future__ import annotations

from postgresql import server
from service import odd_detectors

__all__ = ["odd_detectors", "server"]
