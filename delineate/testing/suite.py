"""All laws in one class."""

from __future__ import annotations

from delineate.testing.answers import AnswerLaws
from delineate.testing.conduct import ConductLaws
from delineate.testing.declaration import DeclarationLaws
from delineate.testing.geometry import GeometryLaws

__all__ = ["DetectorTests"]


class DetectorTests(DeclarationLaws, AnswerLaws, GeometryLaws, ConductLaws):
    """What a detector must do to be a good guest; inherit, name the detector, give a sample.

    Attributes
    ----------
    detector_id
        Id of an installed detector.
    options
        Options to test with, by name.
    equivariant
        How large a share of what is found may differ when something is done to the image that
        should change nothing, 0.02 unless stated; ``None`` where it does change things by nature.
        ``"flips"``: axes run backwards. ``"permutations"``: axes change places. ``"shift"``: a
        border is added. ``"tiles"``: it is cut. What is a share of what, see
        :class:`~delineate.testing.difference.Difference`. Whatever may differ, things may not lie
        more than half a sample elsewhere in the mean.
    large_samples
        How many samples an image has on which memory and cancelling are tried.
    """
