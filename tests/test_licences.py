"""What delineate needs is free to be used by everybody, for everything."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"

PERMISSIVE = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|ISC|BSD|FreeBSD|0BSD|Apache|PSF-2\.0|MPL-2\.0|Mozilla Public License 2|"
    r"Zlib|CC0|Enthought|scikit-image team|Maarten H\. Everts)",
    re.IGNORECASE,
)
RECIPROCAL = re.compile(
    r"\b[AL]?GPL|General Public|EUPL|CeCILL|SSPL|BUSL|NonCommercial|-NC\b", re.I
)
# The driver of PostgreSQL, which DBOS needs: imported as it is, and anybody can replace it.
KNOWN = {"psycopg", "psycopg-binary"}


def name_of(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"])).lower()


def told(distribution: Distribution) -> str:
    """What a package says its licence is: as an expression, or by classifiers and text."""
    metadata = distribution.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [one for one in metadata.get_all("Classifier") or [] if "License ::" in one]
    return " ".join([*classifiers, str(metadata.get("License") or "")[:200]])


def test_every_package_in_the_lock_is_permissive() -> None:
    lines = LOCK.read_text().splitlines()
    locked = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines if "==" in line}
    found = {name_of(one): told(one) for one in distributions() if name_of(one) in locked}

    assert len(found) > len(locked) / 2
    wrong = {
        name: licence
        for name, licence in found.items()
        if RECIPROCAL.search(licence) or not PERMISSIVE.search(licence)
    }
    assert wrong.keys() <= KNOWN, wrong
