"""The REST protocol of MONAI Label over our own jobs; see ``docs/monailabel.md``.

3D Slicer's and OHIF's extensions connect unmodified. It is served under ``/monailabel``, which is
documented, and at the root, where OHIF asks if its address does not end in a slash.
"""

from __future__ import annotations

from fastapi import APIRouter

from delineate.api.monailabel import (
    batch,
    datastore,
    infer,
    info,
    learning,
    login,
    sessions,
    tasks,
)

__all__ = ["PREFIX", "router"]

PREFIX = "/monailabel"

router = APIRouter()
for _part in (info, infer, sessions, datastore, learning, batch, tasks, login):
    router.include_router(_part.router)
