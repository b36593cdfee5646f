"""The REST protocol of MONAI Label over our own jobs; see ``docs/monailabel.md``.

3D Slicer's and OHIF's extensions connect unmodified. Under ``/proxy/dicom`` the viewer finds the
service's own DICOMweb node, where MONAI Label relays to another archive. All of it is served under
``/monailabel``, which is documented, and at the root, where OHIF asks if its address does not end
in a slash.
"""

from __future__ import annotations

from fastapi import APIRouter

from delineate.api.dicomweb import frames, pictures, retrieving, searching, storing
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
from delineate.api.monailabel.temporary import tended

__all__ = ["PREFIX", "router", "tended"]

PREFIX = "/monailabel"

router = APIRouter()
for _part in (info, infer, sessions, datastore, learning, batch, tasks, login):
    router.include_router(_part.router)
for _door in (searching, retrieving, frames, pictures, storing):
    # Viewers ask below qido, wado and stow, and now and then one for what is another's.
    router.include_router(_door.router, prefix="/proxy/dicom/{door}", include_in_schema=False)
