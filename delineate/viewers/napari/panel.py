"""The panels: choose an image and a detector, fill in its options, run it here or on a server."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, Container, LineEdit, ProgressBar, PushButton, TextEdit

from delineate.errors import DelineateError, InputError
from delineate.imaging import Grid, Image
from delineate.viewers.napari.form import fields, values
from delineate.viewers.napari.layers import KEY, outline_layer, result
from delineate.viewers.napari.work import Steps, Told, here, there

if TYPE_CHECKING:
    import napari

    from delineate.delineation import Delineation

__all__ = ["RunHere", "RunThere", "image_of", "outlines"]

_MODALITIES = ("as it says", "CT", "MR", "photo")


def image_of(layer: Any, modality: str | None = None) -> Image:
    """The image behind a layer: delineate's own, or one made of any layer's samples.

    Parameters
    ----------
    layer
        An image layer of two or three dimensions, grey or in colour. Its place in napari's world
        is taken for ``(z, y, x)`` in the patient's LPS, or for pixels.
    modality
        What it is, where the layer does not say it.

    Raises
    ------
    InputError
        If it has other dimensions.
    """
    known = layer.metadata.get(KEY, {}).get("image")
    if known is not None:
        return known if modality is None else _of(known, modality)
    array = np.asarray(layer.data)
    if layer.ndim not in (2, 3):
        raise InputError(
            f"expected a layer of two or three dimensions, got {layer.ndim}; split it first"
        )
    matrix = np.eye(4)
    linear = layer.affine.affine_matrix @ np.diag([*layer.scale, 1.0])
    linear[:-1, -1] += layer.affine.affine_matrix[:-1, :-1] @ layer.translate
    matrix[-(layer.ndim + 1) :, -(layer.ndim + 1) :] = linear
    if layer.ndim == 2:
        array = array[None]
    shape = array.shape[:3]
    kind = modality or ("photo" if layer.rgb or layer.ndim == 2 else "unknown")
    grid = Grid((shape[0], shape[1], shape[2]), matrix[[2, 1, 0, 3]], _unit(kind))
    channels = ("red", "green", "blue", "alpha")[: array.shape[-1]] if layer.rgb else ()
    return Image(array, grid, kind, channels)


def _of(image: Image, modality: str) -> Image:
    return Image(image.array, image.grid, modality, image.channels, image.source, image.notes)


def _unit(modality: str) -> Any:
    return "px" if modality == "photo" else "mm"


class _Run(Container[Any]):  # type: ignore[misc]  # magicgui is not there where this is checked
    """What both panels have; subclasses say which detectors there are and how one is run."""

    def __init__(self, napari_viewer: napari.Viewer, extra: Sequence[Any] = ()) -> None:
        self._viewer = napari_viewer
        self._monitor: Told | None = None
        self.image = ComboBox(name="image", choices=self._images, nullable=True)
        self.modality = ComboBox(name="modality", choices=_MODALITIES)
        self.detector = ComboBox(name="detector", choices=self._detectors, nullable=True)
        self.form: Container[Any] = Container(name="form", label="options", labels=True)
        self.run = PushButton(name="run", text="Run")
        self.cancel = PushButton(name="cancel", text="Cancel", enabled=False)
        self.progress = ProgressBar(name="progress", min=0, max=100, value=0, label="")
        self.status = TextEdit(name="status", value="Research. Not for diagnosis.")
        self.status.read_only, self.status.max_height = True, 96
        super().__init__(
            widgets=[
                *extra,
                *(self.image, self.modality, self.detector, self.form),
                *(self.run, self.cancel, self.progress, self.status),
            ]
        )
        self.detector.changed.connect(self._fill)
        self.run.changed.connect(self._start)
        self.cancel.changed.connect(self._stop)
        for event in (napari_viewer.layers.events.inserted, napari_viewer.layers.events.removed):
            event.connect(self._layers_changed)
        napari_viewer.dims.events.order.connect(self._stand)
        self._choose_image()
        self._stand()
        self._fill()

    def _specs(self) -> Mapping[str, Mapping[str, Any]]:
        """The detectors' documents, by id."""
        raise NotImplementedError

    def _steps(self, image: Image, options: Mapping[str, Any], monitor: Told) -> Steps:
        raise NotImplementedError

    def _images(self, _widget: Any = None) -> list[tuple[str, Any]]:
        return [(one.name, one) for one in self._viewer.layers if type(one).__name__ == "Image"]

    def _detectors(self, _widget: Any = None) -> list[tuple[str, str]]:
        return [(f"{one['title']} ({name})", name) for name, one in self._specs().items()]

    def _layers_changed(self, _event: Any = None) -> None:
        self.image.reset_choices()
        self._choose_image()
        for widget in self.form:
            if isinstance(widget, ComboBox):
                widget.reset_choices()

    def _choose_image(self) -> None:
        """The image that is selected, or the last that came, unless one was chosen."""
        there = [layer for _, layer in self._images()]
        if self.image.value is None and there:
            active = self._viewer.layers.selection.active
            self.image.value = active if active in there else there[-1]

    def _stand(self, _event: Any = None) -> None:
        """Have the patient's head on top where slices are seen from the front or the side."""
        down, *_ = self._viewer.dims.displayed
        upright = self._viewer.dims.ndim == 3 and self._viewer.dims.ndisplay == 2 and down == 0
        self._viewer.camera.orientation2d = ("up" if upright else "down", "right")

    def _fill(self) -> None:
        """A form for the detector that was chosen."""
        self.form.clear()
        if self.detector.value:
            schema = self._specs()[self.detector.value]["options_schema"]
            self.form.extend(fields(schema, self._images))

    def _start(self) -> None:
        from napari.qt.threading import create_worker

        try:
            image, given = self._asked()
        except DelineateError as error:
            self.status.value = str(error)
            return
        self._monitor = Told()
        worker = create_worker(_worked, self._steps(image, given, self._monitor))
        worker.yielded.connect(self._show)
        worker.returned.connect(self._done)
        worker.errored.connect(self._failed)
        worker.finished.connect(self._idle)
        self.run.enabled, self.cancel.enabled = False, True
        worker.start()

    def _asked(self) -> tuple[Image, dict[str, Any]]:
        if self.image.value is None or not self.detector.value:
            raise InputError("choose an image and a detector first; drop a scan on the window")
        chosen = None if self.modality.value == _MODALITIES[0] else self.modality.value
        given = {
            name: image_of(value) if hasattr(value, "metadata") else value
            for name, value in values(list(self.form)).items()
        }
        return image_of(self.image.value, chosen), given

    def _stop(self) -> None:
        if self._monitor is not None:
            self._monitor.stop()

    def _show(self, told: tuple[float, str]) -> None:
        self.progress.value, self.status.value = round(100 * told[0]), told[1]

    def _done(self, found: Delineation | DelineateError) -> None:
        if isinstance(found, DelineateError):
            self._failed(found)
            return
        for data, shown, kind in result(found):
            layer = getattr(self._viewer, f"add_{kind}")(data, **shown)
            if kind == "labels":
                layer.contour = 1  # napari takes it from a layer alone
        self.status.value = _summary(found)

    def _failed(self, error: Exception) -> None:
        self.status.value = f"{type(error).__name__}: {error}"

    def _idle(self) -> None:
        self.run.enabled, self.cancel.enabled = True, False


class RunHere(_Run):
    """Run a detector that is installed here, in a process of its own."""

    def _specs(self) -> Mapping[str, Mapping[str, Any]]:
        from delineate.plugins import registry

        return {spec.id: registry.describe(spec) for spec in registry.list_detectors()}

    def _steps(self, image: Image, options: Mapping[str, Any], monitor: Told) -> Steps:
        return here(image, self.detector.value, options, monitor)


class RunThere(_Run):
    """Run a detector of a delineate service."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        self.url = LineEdit(name="server", value="http://127.0.0.1:8000")
        self.key = LineEdit(name="key", value="", tooltip="API key, if the server wants one")
        self.connect_ = PushButton(name="connect", text="Connect")
        self._there: dict[str, Mapping[str, Any]] = {}
        super().__init__(napari_viewer, (self.url, self.key, self.connect_))
        self.connect_.changed.connect(self._connect)

    def _connect(self) -> None:
        from delineate.client import Client

        try:
            with Client(self.url.value, self.key.value or None, seconds=20) as server:
                self._there = {one["id"]: one for one in server.detectors()}
        except DelineateError as error:
            self.status.value = str(error)
            return
        self.detector.reset_choices()
        self._fill()
        self.status.value = f"{len(self._there)} detectors there"

    def _specs(self) -> Mapping[str, Mapping[str, Any]]:
        return self._there

    def _steps(self, image: Image, options: Mapping[str, Any], monitor: Told) -> Steps:
        where = self.url.value, self.key.value or None
        return there(image, self.detector.value, options, monitor, *where)


def _worked(
    steps: Steps,
) -> Generator[tuple[float, str], None, Delineation | DelineateError]:
    """The steps as a generator function: by that napari sees that they tell how far they are.

    What a user can mend, or has asked for, is an answer: napari shows errors as those of a program.
    """
    try:
        return (yield from steps)
    except DelineateError as error:
        return error


def outlines(labels: napari.layers.Labels) -> list[napari.types.LayerDataTuple]:
    """Outlines of a layer of labels as shapes, exact along the samples' edges.

    magicgui makes a panel of this function by its annotations, and imports napari for them.
    """
    from delineate.contour import trace_all
    from delineate.imaging import LabelMap

    known = labels.metadata.get(KEY)
    if known is None or "labels" not in known:
        raise InputError("expected labels that delineate read or found")
    held = LabelMap(np.asarray(labels.data), known["labels"].grid, known["categories"])
    rings = [(one.category, ring) for one in trace_all(held) for ring in one.contours]
    return [outline_layer(rings, held.grid, f"{labels.name}: outlines")]


def _summary(found: Delineation) -> str:
    there = [one for one in found.findings if one.contours or one.point or one.box]
    told = f"{len(there)} found"
    lacking = [one.category.name for one in found.findings if one not in there]
    return f"{told}; not found: {', '.join(lacking)}" if lacking else told
