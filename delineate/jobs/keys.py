"""API keys: who may do what for which tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["LOCAL", "SCOPES", "Principal", "Right"]

Right = Literal["read", "upload", "run", "delete", "identify", "admin"]
SCOPES: frozenset[str] = frozenset(get_args(Right))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the tenant whose images and jobs they see, a name for the audit, their scopes."""

    tenant: str
    name: str
    scopes: frozenset[str]


LOCAL = Principal("local", "local", SCOPES)
