"""A detector of another delineate service, asked by its REST interface (docs/rest.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delineate.detectors.cards.card import (
    Card,
    CategoryPart,
    DelineatePart,
    read_card,
)
from delineate.detectors.cards.remote_options import told_options
from delineate.detectors.cards.sending import as_nifti, as_png
from delineate.detectors.cards.server import SMALL, Server, Session
from delineate.detectors.cards.service_results import fetched
from delineate.errors import (
    Cancelled,
    DelineateError,
    DetectorError,
    ModelError,
    OptionError,
    UnsuitableImageError,
)
from delineate.imaging import Image
from delineate.plugins import CountError, Detection, Monitor, Options, Wants

__all__ = ["ServiceDetector", "filled_in"]

_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)  # between looks at a job; the last one for good
_INPUT_ERRORS = {"UnsuitableImageError": UnsuitableImageError, "OptionError": OptionError}


class ServiceDetector:
    """Uploads an image, has it looked at, and fetches what was found.

    Parameters
    ----------
    folder
        As `store.add` left it.
    """

    def __init__(self, folder: str | Path) -> None:
        self._card = read_card(Path(folder))
        self._part = _part(self._card)
        self._server = Server(self._part)

    def detect_monitored(self, image: Image, options: Any, monitor: Monitor) -> Detection:
        """What the service finds; a cancelled run cancels its job."""
        monitor.progress(0.0, "sending the image")
        with self._server.session(monitor) as session:
            uploaded = self._upload(session, image)
            job = self._start(session, uploaded, image, options)
            try:
                self._follow(session, job, monitor.part(0.1, 0.9))
            except Cancelled:
                self._cancel(job)
                raise
            monitor.progress(0.9, "fetching what was found")
            return fetched(session, job, self._card, image)

    def _upload(self, session: Session, image: Image) -> dict[str, Any]:
        name, content = (
            ("image.png", as_png(image)) if image.channels else ("image.nii.gz", as_nifti(image))
        )
        params = {"name": name}
        stored = session.json("POST", "/v1/images", params=params, content=content)
        series = stored["report"]["series"]
        if len(series) != 1 or tuple(series[0]["shape"]) != image.grid.shape:
            raise DetectorError(
                f"{session.name} was sent {image.grid.shape} samples and says that it got "
                f"{[one['shape'] for one in series]}"
            )
        return dict(stored)

    def _start(
        self,
        session: Session,
        stored: Mapping[str, Any],
        image: Image,
        options: Options,
    ) -> str:
        stated = None if image.modality == "unknown" else image.modality
        asked = {
            "image_id": stored["id"],
            "detector": self._part.detector,
            "options": told_options(options, self._part.options_schema or {}),
            "modality": stated,
        }
        return str(session.json("POST", "/v1/jobs", json=asked)["id"])

    def _follow(self, session: Session, job: str, monitor: Monitor) -> None:
        look = 0
        while True:
            state = session.json("GET", f"/v1/jobs/{job}")
            if state["state"] == "done":
                return
            if state["state"] in ("failed", "cancelled"):
                raise _failure(session.name, state)
            monitor.progress(state["progress"], f"{session.name}: {state['stage'] or 'queued'}")
            session.pause(_PAUSES[min(look, len(_PAUSES) - 1)])
            look += 1

    def _cancel(self, job: str) -> None:
        """Ask the service to stop; whether it does is its own affair."""
        try:
            with self._server.session() as session:
                session.request("DELETE", f"/v1/jobs/{job}", limit=SMALL)
        except DelineateError:
            return


def filled_in(card: Card) -> Card:
    """The card with what its service tells of the detector; no image is sent.

    Raises
    ------
    ModelError
        If there is no such detector, or it is not what the card says.
    DetectorError
        If the service does not answer.
    """
    part = _part(card)
    server = Server(part)
    with server.session() as session:
        listed = session.json("GET", "/v1/detectors")
    try:
        known = {one["id"]: one for one in listed}
        told = known.get(part.detector)
        if told is None:
            raise ModelError(
                f"{server.name} has no detector {part.detector!r}, but {', '.join(sorted(known))}"
            )
        return _completed(card, part, told, server.name)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(
            f"what {server.name} tells at /v1/detectors is not understood "
            f"({type(error).__name__}: {error}); is it a delineate service?"
        ) from error


def _completed(card: Card, part: DelineatePart, told: Mapping[str, Any], server: str) -> Card:
    for name, said in (("gives", card.gives), ("task", card.task)):
        if said not in (None, told[name]):
            raise ModelError(
                f"{part.detector} on {server} has {name} {told[name]!r}, the card says {said!r}"
            )
    categories = tuple(CategoryPart.model_validate(one) for one in told["categories"])
    names = {each.name for each in categories}
    if card.categories and {each.name for each in card.categories} != names:
        raise ModelError(
            f"{part.detector} on {server} finds {', '.join(sorted(names))}; leave "
            "the categories out of the card, or name all of them"
        )
    learned = {
        "version": str(told["version"]),
        "options_schema": told["options_schema"],
        "weights": tuple(dict(one) for one in told["weights"]),
    }
    stated, error = card.model_fields_set, told.get("count_error")
    counted = None if error is None else CountError(**error)
    update = {
        "task": told["task"],
        "gives": told["gives"],
        "categories": card.categories or categories,
        "wants": card.wants if "wants" in stated else _wants(told["wants"]),
        "version": card.version if "version" in stated else str(told["version"]),
        "intended_use": card.intended_use if "intended_use" in stated else told["intended_use"],
        "count_error": card.count_error or counted,
        "delineate": part.model_copy(update=learned),
    }
    return card.model_copy(update=update)


def _wants(told: Mapping[str, Any]) -> Wants:
    """What the service would refuse, so that it is refused before anything is sent.

    Turning, resampling and cutting are left to the service, which has the same framework.
    """
    turned = told["orientation"] is not None

    def size(name: str) -> tuple[int, int, int] | None:
        if turned or told.get(name) is None:
            return None
        slices, rows, columns = told[name]
        return slices, rows, columns

    return Wants(
        modalities=tuple(told["modalities"]),
        unit="mm" if turned or told.get("spacing_mm") else told["unit"],
        dimensions=None if turned else told["dimensions"],
        min_slices=1 if turned else told["min_slices"],
        min_size=size("min_size"),
        max_size=size("max_size"),
        channels=told["channels"],
        refuses=tuple(told.get("refuses", ())),
    )


def _part(card: Card) -> DelineatePart:
    if card.delineate is None:
        raise ModelError(f"the card {card.id} has no part 'delineate'")
    return card.delineate


def _failure(server: str, state: Mapping[str, Any]) -> DelineateError:
    error = state["error"] or {"code": "", "message": f"the job is {state['state']}"}
    kind = _INPUT_ERRORS.get(error["code"], DetectorError)
    return kind(f"{server}: {error['message']}")
