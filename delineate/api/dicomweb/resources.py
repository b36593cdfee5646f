"""What the calls of the DICOMweb node share: addresses of studies, series and instances."""

from __future__ import annotations

import re
from typing import Any

from starlette.concurrency import run_in_threadpool

from delineate.api import faults
from delineate.api.dicomweb.node import Node
from delineate.errors import QueryError, UnknownInstanceError
from delineate.jobs.dicom_search import Located, Place, locate

__all__ = ["demand_uid", "documented", "found", "place"]


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a call's OpenAPI entry says of its errors."""
    return faults.documented(*statuses)


def demand_uid(uid: str) -> str:
    """A UID that somebody stores to.

    Raises
    ------
    QueryError
        If it is none.
    """
    if not _is_uid(uid):
        raise QueryError("the address names no UID; it has up to 64 digits and dots")
    return uid


def place(tenant: str, study: str = "", series: str = "", instance: str = "") -> Place:
    """What an address names.

    Raises
    ------
    UnknownInstanceError
        If that cannot be a UID.
    """
    if not all(_is_uid(one) for one in (study, series, instance) if one):
        raise UnknownInstanceError("nothing is stored under this address; it is no UID")
    return Place(tenant, study, series, instance)


async def found(node: Node, where: Place) -> list[Located]:
    """The instances of a place.

    Raises
    ------
    UnknownInstanceError
        If there are none.
    """
    instances = await run_in_threadpool(locate, node.database, where)
    if not instances:
        raise UnknownInstanceError("nothing is stored under this address; search for what is")
    return instances


def _is_uid(uid: str) -> bool:
    return re.fullmatch(r"[0-9.]{1,64}", uid) is not None
