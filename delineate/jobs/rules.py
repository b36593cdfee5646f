"""The rules file: which series that come in start which job, and who gets the results.

::

    [[server]]
    name = "pacs"
    url = "https://pacs.example/dicom-web"
    authorization_file = "/run/secrets/pacs"    # holds what the header is to be: Bearer ...

    [[rule]]
    name = "organs"
    match = { Modality = "CT", StudyDescription = "*ABDOMEN*" }   # as a search by QIDO-RS
    detector = "organs.ct"
    options = {}
    queue = "gpu"                               # by default that of the detector
    priority = 5
    sources = ["stow", "pull"]                  # or "upload"
    push = { server = "pacs", formats = ["seg", "rtstruct"] }
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from delineate.errors import InputError, UnknownServerError
from delineate.jobs.dicom_query import Query, parse
from delineate.jobs.dicom_search import Place, search

__all__ = ["Push", "Rule", "Rules", "Server", "Source"]

Source = Literal["stow", "pull", "upload"]
_Name = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,31}$")]
_MOST_BYTES = 1 << 20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Strict):
    """Another DICOMweb server: the only ones that the service ever asks anything."""

    name: _Name
    url: str = Field(pattern=r"^https?://[^\s?#]+$", max_length=500)
    authorization_file: Path | None = None
    ca_file: Path | None = None
    timeout_seconds: float = Field(60.0, gt=0, le=3600)


class Push(_Strict):
    """Where results go, and in which formats."""

    server: _Name
    formats: tuple[Literal["seg", "rtstruct", "sr"], ...] = ("seg", "rtstruct", "sr")


class Rule(_Strict):
    """A job that series of a kind start when they are complete."""

    name: _Name
    match: dict[str, str] = Field(min_length=1)
    detector: str = Field(max_length=200)
    options: dict[str, Any] = Field(default_factory=dict)
    queue: str | None = Field(None, pattern="^[a-z0-9-]{1,32}$")
    priority: int = Field(5, ge=0, le=9)
    sources: tuple[Source, ...] = ("stow", "pull")
    push: Push | None = None

    def query(self) -> Query:
        """The search that a series has to be found by."""
        return parse("series", [*self.match.items(), ("limit", "1")], 1)


class Rules(_Strict):
    """What the file says; nothing by default."""

    rule: tuple[Rule, ...] = ()
    server: tuple[Server, ...] = ()

    @classmethod
    def read(cls, path: str) -> Rules:
        """Read a file; no rules for an empty path.

        Raises
        ------
        InputError
            If it is not as above: better at the start than when a series comes.
        """
        if not path:
            return cls()
        try:
            with Path(path).open("rb") as file:
                rules = cls.model_validate(tomllib.loads(file.read(_MOST_BYTES).decode()))
        except OSError as error:
            raise InputError(f"the rules cannot be read: {error}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"the rules in {path} are no TOML: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"the rules in {path} are not as expected: {where}: {first['msg']}"
            ) from None
        rules._check()
        return rules

    def _check(self) -> None:
        for kind, names in (
            ("rules", [one.name for one in self.rule]),
            ("servers", [one.name for one in self.server]),
        ):
            if len(set(names)) < len(names):
                raise InputError(f"two {kind} have one name; it tells them apart in what they do")
        for rule in self.rule:
            if ignored := rule.query().warnings:
                raise InputError(f"rule {rule.name}: {ignored[0]} Match by what is searched by.")
            if rule.push is not None:
                self.find(rule.push.server)

    def find(self, name: str) -> Server:
        """The server of that name.

        Raises
        ------
        UnknownServerError
            If none is configured.
        """
        found = next((one for one in self.server if one.name == name), None)
        if found is None:
            known = ", ".join(one.name for one in self.server) or "none is configured"
            raise UnknownServerError(
                f"no server is named {name[:40]!r}; known are: {known} (see the rules file)"
            )
        return found

    def named(self, name: str) -> Rule | None:
        """The rule of that name, if there still is one."""
        return next((one for one in self.rule if one.name == name), None)

    def fitting(
        self, database: sa.Engine, tenant: str, study: str, series: str, source: Source
    ) -> list[Rule]:
        """The rules that a complete series fulfils."""
        place = Place(tenant, study, series)
        return [
            rule
            for rule in self.rule
            if source in rule.sources and search(database, place, rule.query(), "").found
        ]
