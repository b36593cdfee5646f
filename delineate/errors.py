"""Every error that delineate raises, drawn as a tree.

::

    DelineateError
    ├── InputError                    the caller can mend it
    │   ├── UnreadableFileError       not a file of any format that is read, or a broken one
    │   ├── GeometryError             affine, spacing or slice positions make no sense
    │   ├── SeriesChoiceError         several series are there; carries .series to choose from
    │   ├── UnsuitableImageError      a good image, but not one this detector reads
    │   ├── OptionError               an option is unknown or out of its range
    │   ├── ExportError               this result cannot be written in that format
    │   ├── QueryError                a DICOMweb query that is not well-formed
    │   ├── MediaTypeError            a body of a kind that is not taken here
    │   ├── NotAcceptableError        none of the kinds that are accepted can be given
    │   └── UploadError               an upload is empty, hostile or too large
    │       ├── TooLargeError
    │       └── StorageFullError      no room is left to keep it
    ├── NotFoundError                 no such thing under that name
    │   ├── UnknownImageError
    │   ├── UnknownJobError
    │   ├── UnknownUploadError
    │   ├── UnknownInstanceError      nor a study, series, frame or bulk data
    │   ├── UnknownTransferError
    │   ├── UnknownServerError        no other server of that name is configured
    │   └── UnknownDetectorError      also a DetectorError
    ├── AccessError                   who asks may not
    │   ├── UnauthenticatedError      no key, or none that is known
    │   ├── ForbiddenError            a key without the scope that this needs
    │   └── ThrottledError            too many wrong keys; carries .seconds to wait
    ├── ConflictError                 the job is in no state for this
    ├── UnavailableError              a part that this needs does not answer just now
    ├── CorruptStorageError           what the storage holds is not what was put there
    ├── RemoteError                   another server refused, or gave no sense
    ├── MissingExtraError             an optional dependency is not installed
    ├── Cancelled                     somebody asked to stop
    └── DetectorError                 a plugin is to blame; carries .detector_id
        ├── PluginLoadError
        ├── ModelError                weights or model description are broken or not as declared
        ├── BadDetectionError         it returned what the contract forbids
        └── DetectorCrashError        its process died, or took too much time or memory

Messages say what was expected, what came, where, and what to do next. They hold UIDs and counts,
never what DICOM calls patient attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "AccessError",
    "BadDetectionError",
    "Cancelled",
    "ConflictError",
    "CorruptStorageError",
    "DelineateError",
    "DetectorCrashError",
    "DetectorError",
    "ExportError",
    "ForbiddenError",
    "GeometryError",
    "InputError",
    "MediaTypeError",
    "MissingExtraError",
    "ModelError",
    "NotAcceptableError",
    "NotFoundError",
    "OptionError",
    "PluginLoadError",
    "QueryError",
    "RemoteError",
    "SeriesChoiceError",
    "StorageFullError",
    "ThrottledError",
    "TooLargeError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnknownDetectorError",
    "UnknownImageError",
    "UnknownInstanceError",
    "UnknownJobError",
    "UnknownServerError",
    "UnknownTransferError",
    "UnknownUploadError",
    "UnreadableFileError",
    "UnsuitableImageError",
    "UploadError",
]


class DelineateError(Exception):
    """The root of all errors that delineate raises on purpose."""


class InputError(DelineateError):
    """What was given cannot be used; the message says how to mend it."""


class UnreadableFileError(InputError, ValueError):
    """A file is of no known format, truncated or contradictory."""


class GeometryError(InputError, ValueError):
    """Positions in space do not make a regular grid."""


class SeriesChoiceError(InputError, ValueError):
    """Several series were found and none was chosen.

    ``series`` holds one mapping a series (``id``, ``modality``, ``slices``, ``description``).
    """

    def __init__(self, message: str, series: Sequence[dict[str, object]]) -> None:
        super().__init__(message)
        self.series = tuple(series)


class UnsuitableImageError(InputError, ValueError):
    """The image is good, but this detector does not read its kind."""


class OptionError(InputError, ValueError):
    """An option is unknown, of the wrong type or out of its range."""


class ExportError(InputError, ValueError):
    """A result cannot be written in the format asked for."""


class QueryError(InputError, ValueError):
    """A query of DICOMweb is not well-formed."""


class MediaTypeError(InputError, ValueError):
    """A body is of a media type that is not taken here."""


class NotAcceptableError(InputError, ValueError):
    """What is asked for cannot be given in any media type that is accepted."""


class UploadError(InputError, ValueError):
    """An upload is empty, hostile or otherwise not acceptable."""


class TooLargeError(UploadError):
    """An upload exceeds a limit that the message names."""


class StorageFullError(UploadError):
    """No room is left to keep what was sent."""


class NotFoundError(DelineateError, LookupError):
    """There is nothing under that name."""


class UnknownImageError(NotFoundError):
    """No image is stored under that id."""


class UnknownJobError(NotFoundError):
    """No job has that id."""


class UnknownUploadError(NotFoundError):
    """No upload is open under that id."""


class UnknownInstanceError(NotFoundError):
    """No such study, series, instance, frame or bulk data is stored."""


class UnknownTransferError(NotFoundError):
    """No transfer to or from another server has that id."""


class UnknownServerError(NotFoundError):
    """No other server of that name is configured."""


class AccessError(DelineateError):
    """Who asks may not do this."""


class UnauthenticatedError(AccessError):
    """No key was sent, or one that is not known, has expired or was revoked."""


class ForbiddenError(AccessError):
    """Who asks is known and lacks the scope that this needs."""


class ThrottledError(AccessError):
    """Too many wrong keys came from one address; ``seconds`` says how long to wait."""

    def __init__(self, message: str, seconds: int = 60) -> None:
        super().__init__(message)
        self.seconds = seconds


class ConflictError(DelineateError):
    """The job is not in a state that allows this."""


class UnavailableError(DelineateError):
    """A part of the service, or another that it needs, does not answer just now."""


class RemoteError(DelineateError):
    """Another server refused what was asked of it, or its answer makes no sense.

    ``temporary`` if the same may go well later.
    """

    def __init__(self, message: str, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


class CorruptStorageError(DelineateError):
    """What the storage holds is not what was put there."""


class MissingExtraError(DelineateError, ImportError):
    """A feature needs a package that is not installed; the message names the extra."""


class Cancelled(DelineateError):
    """Work stopped because somebody asked for it."""


class DetectorError(DelineateError):
    """A detector is to blame, not the image; ``detector_id`` says which."""

    def __init__(self, message: str, detector_id: str = "") -> None:
        super().__init__(message)
        self.detector_id = detector_id


class UnknownDetectorError(DetectorError, NotFoundError):
    """No installed detector has that id."""


class PluginLoadError(DetectorError):
    """A plugin is installed but cannot be imported or declares nonsense."""


class ModelError(DetectorError):
    """Weights or model description are missing, broken or not as declared."""


class BadDetectionError(DetectorError):
    """A detector returned what its declaration or the contract forbids."""


class DetectorCrashError(DetectorError):
    """A detector's process died, hung or exceeded its memory."""
