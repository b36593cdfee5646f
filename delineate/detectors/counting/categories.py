"""What `pests.count` may call what it finds."""

from __future__ import annotations

from delineate.imaging import Category

__all__ = ["FLY", "INSECT", "MOTH", "THRIPS"]

INSECT = Category("insect", (213, 94, 0))
MOTH = Category("moth", (204, 121, 167))
FLY = Category("fly", (0, 114, 178))
THRIPS = Category("thrips", (0, 158, 115))
