"""``/train/`` and ``/scoring/``: clients ask whether something runs; here nothing ever does.

Models are trained on the command line. Since ``/info/`` lists no trainer, Slicer hides its panel.
"""

from __future__ import annotations

from fastapi import APIRouter

from delineate.api.access import Reader, Runner
from delineate.api.faults import documented
from delineate.errors import NotFoundError

__all__ = ["router"]

router = APIRouter(tags=["MONAI Label"])


@router.get("/train/", responses=documented(404))
@router.get("/scoring/", responses=documented(404))
def status(_who: Reader) -> None:
    """404: nothing runs."""
    raise NotFoundError("nothing was started")


@router.post("/train/", responses=documented(404))
@router.post("/train/{model}", responses=documented(404))
def train(_who: Runner) -> None:
    """404: nothing is trained here."""
    raise NotFoundError(
        "this service trains no models; 'delineate train' on the command line does, from the "
        "images and labels of /datastore/"
    )


@router.post("/scoring/", responses=documented(404))
@router.post("/scoring/{method}", responses=documented(404))
def score(_who: Runner) -> None:
    """404: nothing is scored here."""
    raise NotFoundError("this service scores no labels; 'delineate evaluate' does")


@router.delete("/train/", responses=documented())
@router.delete("/scoring/", responses=documented())
def stop(_who: Runner) -> None:
    """Nothing runs, so there is nothing to stop."""
