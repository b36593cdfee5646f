"""What clients may choose from: each image with the labels that it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool

from delineate.api.monailabel import models
from delineate.api.monailabel.subjects import Subject, datastore_of, subjects
from delineate.api.state import State
from delineate.jobs.datastore import Label
from delineate.jobs.store import TenantStore
from delineate.jobs.table import Job

__all__ = ["ABOUT_IMAGE", "FINAL", "ORIGINAL", "Item", "items", "object_of", "stats"]

# What a person has finished, and what a detector found.
FINAL, ORIGINAL = "final", "original"
ABOUT_IMAGE = ""


@dataclass(frozen=True, slots=True)
class Item:
    """An image by the name that clients know it by.

    ``labels`` are by tag: what was sent, and as ``original`` the last job that found labels in it,
    unless such a label was sent. ``about`` is what was told of the image.
    """

    name: str
    subject: Subject
    labels: Mapping[str, Label | Job] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


async def items(service: State, store: TenantStore) -> list[Item]:
    """All of a tenant, in the order of their names."""
    known = await models.models(service)
    segmenting = [name for name, one in known.items() if one["gives"] in models.SEGMENTING]
    return await run_in_threadpool(_items, service, store, segmenting)


def _items(service: State, store: TenantStore, segmenting: list[str]) -> list[Item]:
    kept, present = datastore_of(service), set(store.ids())
    found = kept.newest(store.tenant, segmenting)
    names: dict[str, list[str]] = {}
    for name, image_id in kept.names(store.tenant).items():
        names.setdefault(image_id, []).append(name)
    sent: dict[str, dict[str, Label]] = {}
    for label in kept.labels(store.tenant):
        if label.image_id is None or label.image_id in present:
            sent.setdefault(label.subject, {})[label.tag] = label
    made: list[Item] = []
    chosen = subjects(service, store)
    series = Counter(one.image_id for one in chosen)
    for subject in chosen:
        labels: dict[str, Label | Job] = dict(sent.get(subject.id, {}))
        about = labels.pop(ABOUT_IMAGE, None)
        job = found.get((subject.image_id, subject.series))
        if job is not None:
            labels.setdefault(ORIGINAL, job)
        told = about.info if isinstance(about, Label) else {}
        # A name stands for an image, and so for the one series of it.
        called = names.get(subject.image_id, []) if series[subject.image_id] == 1 else []
        made += [Item(name, subject, labels, told) for name in called or [subject.id]]
    return sorted(made, key=lambda one: one.name)


def stats(shelf: list[Item]) -> dict[str, Any]:
    """How many images there are, how many are finished, how many have a label of each tag."""
    tags: dict[str, int] = {}
    for one in shelf:
        for tag in one.labels:
            tags[tag] = tags.get(tag, 0) + 1
    return {"total": len(shelf), "completed": tags.get(FINAL, 0), "label_tags": tags}


def object_of(item: Item, known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """An image as ``/datastore/?output=all`` has it."""
    return {
        "image": {"ext": item.subject.suffix or ".nrrd", "info": dict(item.about)},
        "labels": {
            tag: {"ext": _extension(label), "info": label_info(label, known)}
            for tag, label in item.labels.items()
        },
    }


def label_info(label: Label | Job, known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What is told of a label: of what was sent that, of what was found its names."""
    if isinstance(label, Label):
        return {**label.info, "ts": label.changed}
    detector = known[label.detector]
    return {
        "name": label.detector,
        "ts": label.finished,
        "params": {"label_names": models.numbered(detector), "model": label.detector},
    }


def _extension(label: Label | Job) -> str:
    if isinstance(label, Label) and label.markups is not None:
        return ".json"
    return str(label.info.get("ext", ".nrrd")) if isinstance(label, Label) else ".nrrd"
