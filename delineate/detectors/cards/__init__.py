"""Detectors without code: a card, which is a JSON file, says what runs them.

Cheap to import: ONNX Runtime, OpenVINO and httpx are loaded when a detector is made.
"""

from __future__ import annotations

from collections.abc import Iterator

from delineate.plugins import DetectorSpec

__all__ = ["installed_cards"]


def installed_cards() -> Iterator[DetectorSpec]:
    """A detector for each card that was added; one that is broken is left out.

    ``delineate cards list`` says what is broken.
    """
    from delineate.detectors.cards.declare import detector_of
    from delineate.detectors.cards.store import stored_cards

    for each in stored_cards():
        if each.card is not None:
            yield detector_of(each.card, each.folder)
