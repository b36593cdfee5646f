"""A detector that is a model of a MONAI Label server.

The image is sent with the request (``POST /infer/MODEL``) and not kept in the server's datastore.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from delineate.detectors.cards.card import Card, CategoryPart, MonaiLabelPart, read_card
from delineate.detectors.cards.sending import as_nifti, is_sheared, labels_at
from delineate.detectors.cards.server import Answer, Server
from delineate.errors import BadDetectionError, DetectorError, ModelError, UnsuitableImageError
from delineate.imaging import Image, LabelMap, anatomy
from delineate.plugins import Detection, Monitor

__all__ = ["MonaiLabelDetector", "filled_in"]

_TYPES = ("segmentation",)
_BACKGROUND = "background"
_ROOM = 1 << 20


class MonaiLabelDetector:
    """Sends an image to a server and reads the labels that it answers by.

    Parameters
    ----------
    folder
        As `store.add` left it.
    """

    def __init__(self, folder: str | Path) -> None:
        card = read_card(Path(folder))
        self._part = _part(card)
        self._categories = tuple(each.category for each in card.categories)
        self._server = Server(self._part)

    def detect_monitored(self, image: Image, options: Any, monitor: Monitor) -> Detection:
        """Have the image segmented; labels that the card does not name are left out."""
        if is_sheared(image.grid):
            raise UnsuitableImageError(
                "the slices of this image are sheared (a tilted gantry), which servers of MONAI "
                "Label do not keep; choose another detector"
            )
        monitor.progress(0.0, "sending the image")
        params = {**self._part.params, "result_extension": ".nrrd", "result_dtype": "uint16"}
        files = {
            "params": (None, json.dumps(params), "application/json"),
            "file": ("image.nii.gz", as_nifti(image), "application/gzip"),
        }
        monitor.progress(0.1, f"waiting for {self._server.name}")
        with self._server.session(monitor) as session:
            path = f"/infer/{self._part.model}"
            most = 4 * image.array.size + _ROOM
            answer = session.request("POST", path, limit=most, files=files)
        monitor.progress(0.9, "reading the labels")
        told, content = _parts(answer, self._server.name)
        labels = labels_at(content, self._server.name, image.grid)
        return self._detection(labels, told)

    def _detection(self, labels: LabelMap, told: Mapping[str, Any]) -> Detection:
        numbers = _numbers(told.get("label_names")) or dict(self._part.labels or {})
        present = set(labels.present())
        if stray := sorted(present - set(numbers.values())):
            raise BadDetectionError(
                f"{self._server.name} sent the labels {stray} without saying what they are; it "
                f"names {numbers}"
            )
        wanted = {category.name: category for category in self._categories}
        if missing := sorted(set(wanted) - set(numbers)):
            raise BadDetectionError(
                f"{self._server.name} does not look for {', '.join(missing)} any longer, but for "
                f"{', '.join(numbers)}; remove the card and add it again"
            )
        kept = {numbers[name]: place for place, name in enumerate(wanted, 1)}
        table = np.zeros(max([0, *numbers.values(), *present]) + 1, np.uint16)
        for number, place in kept.items():
            table[number] = place
        others = sorted(name for name, n in numbers.items() if n in present and n not in kept)
        return Detection(
            LabelMap(table[labels.array], labels.grid, dict(enumerate(self._categories, 1))),
            remarks=(f"Not in the card, left out: {', '.join(others)}.",) if others else (),
            device=self._server.name,
        )


def filled_in(card: Card) -> Card:
    """The card with the labels that its server tells; no image is sent.

    Raises
    ------
    ModelError
        If there is no such model, or it is no automatic segmentation.
    DetectorError
        If the server does not answer.
    """
    part = _part(card)
    server = Server(part)
    with server.session() as session:
        info = session.json("GET", "/info/")
    models = info.get("models") if isinstance(info, dict) else None
    if not isinstance(models, dict):
        raise ModelError(f"{server.name} tells no models at /info/; is it a MONAI Label server?")
    model = models.get(part.model)
    if not isinstance(model, dict):
        raise ModelError(f"{server.name} has no model {part.model!r}, but {', '.join(models)}")
    if model.get("type") not in _TYPES:
        raise ModelError(
            f"{part.model} on {server.name} is of type {model.get('type')!r}; expected "
            f"{' or '.join(_TYPES)}: others need clicks or drawings"
        )
    labels = _numbers(model.get("labels")) or _numbers(info.get("labels"))
    if not labels:
        raise ModelError(f"{server.name} does not tell the labels of {part.model}")
    if card.gives not in (None, "labelmap"):
        raise ModelError(f"MONAI Label gives 'labelmap', the card says {card.gives!r}")
    if missing := sorted({each.name for each in card.categories} - set(labels)):
        raise ModelError(
            f"{part.model} on {server.name} knows no {', '.join(missing)}; it knows "
            f"{', '.join(labels)}"
        )
    return card.model_copy(
        update={
            "gives": "labelmap",
            "categories": card.categories or tuple(map(_category, labels)),
            "monailabel": part.model_copy(update={"labels": labels}),
        }
    )


def _part(card: Card) -> MonaiLabelPart:
    if card.monailabel is None:
        raise ModelError(f"the card {card.id} has no part 'monailabel'")
    return card.monailabel


def _category(name: str) -> CategoryPart:
    """A label with the code and colour of the table of anatomy, where that knows it."""
    known = anatomy.category(name)
    if known is None:
        return CategoryPart(name=name)
    return CategoryPart.model_validate(
        {
            "name": name,
            "colour": known.hex_colour,
            "laterality": known.laterality,
            "code": None
            if known.code is None
            else {
                "value": known.code.value,
                "scheme": known.code.scheme,
                "meaning": known.code.meaning,
            },
        }
    )


def _numbers(labels: Any) -> dict[str, int]:
    """Labels by name, background left out: an object has numbers, of a list they are places."""
    if isinstance(labels, dict):
        found = {str(name): number for name, number in labels.items()}
    elif isinstance(labels, list):
        named = [str(name) for name in labels if str(name).lower() != _BACKGROUND]
        found = {name: place for place, name in enumerate(named, 1)}
    else:
        return {}
    found = {name: n for name, n in found.items() if n != 0 and name.lower() != _BACKGROUND}
    whole = all(type(n) is int and 0 < n < 65536 for n in found.values())
    if not whole or len(set(found.values())) != len(found):
        raise ModelError(f"expected each label with a number of its own, got {labels!r:.300}")
    return found


def _parts(answer: Answer, server: str) -> tuple[dict[str, Any], bytes]:
    """What the model tells and the file, out of a multipart answer; see RFC 2046 section 5.1."""
    kind = answer.headers.get("content-type", "")
    boundary = re.search(r'boundary="?([^";]+)"?', kind)
    if not kind.startswith("multipart/") or boundary is None:
        raise BadDetectionError(
            f"expected a file of labels from {server}, got {kind or 'something without a type'}: "
            "this model answers by no labels"
        )
    mark = b"\r\n--" + boundary[1].encode("latin-1")
    pieces = (b"\r\n" + answer.body).split(mark)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise DetectorError(f"the answer of {server} was cut off; try again")
    told: dict[str, Any] = {}
    content: bytes | None = None
    for piece in pieces[1:-1]:
        head, _, body = piece.partition(b"\r\n\r\n")
        if b"filename=" in head.lower():
            content = body
        elif b'name="params"' in head:
            told = _object(body)
    if content is None:
        raise BadDetectionError(f"{server} answered without a file of labels")
    return told, content


def _object(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
