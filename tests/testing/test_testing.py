"""The laws for detectors catch those that are bad guests, and let the good ones pass."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import mutants
import numpy as np
import pytest
from healthy import HEALTHY
from mutants import ILL, ill

from delineate.imaging import Grid, Image
from delineate.plugins import DetectorSpec
from delineate.testing import DetectorTests
from delineate.testing.check import check, laws

POINTS = "healthy = healthy:installed\n", "heavy = heavy_mutant:spec\n"


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have the healthy ones installed, one that loads a framework, and that framework."""
    site = tmp_path_factory.mktemp("site")
    info = site / "mutants-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mutants\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[delineate.detectors]\n" + "".join(POINTS))
    (site / "jax.py").write_text("")
    sys.path.insert(0, str(site))
    mutants.SET_UP.append("by this script")
    yield
    mutants.SET_UP.clear()
    sys.path.remove(str(site))
    sys.modules.pop("jax", None)


def suite(of: DetectorSpec, **stated: Any) -> DetectorTests:
    class Suite(DetectorTests):
        detector_id = of.id
        spec = of  # type: ignore[assignment]  # as if it were installed
        equivariant = stated.get("equivariant", {})
        large_samples = 1_000_000 if of.wants.tile is None else 150_000

        def sample(self) -> Image:
            array = np.full((6, 24, 24), 20, np.uint8)
            array[2:4, 4:7, 5:9] = 200
            array[4, 15:17, 14:18] = 160
            return Image(array, Grid.regular(array.shape, (2.0, 1.0, 1.0), (-3.0, 4.0, 5.0)))

    return Suite()


@pytest.mark.parametrize("name", HEALTHY)
def test_a_good_guest_passes_every_law(name: str) -> None:
    failed = [
        (one.law, one.reason) for one in check(suite(HEALTHY[name])) if one.outcome == "failed"
    ]

    assert not failed


@pytest.mark.parametrize(
    ("guest", "law", "stated"), ILL, ids=[f"{guest.title}: {law}" for guest, law, _ in ILL]
)
def test_a_bad_guest_is_caught(guest: DetectorSpec, law: str, stated: dict[str, Any]) -> None:
    tried = laws(suite(guest, **stated))[f"test_{law}"]

    with pytest.raises(Exception) as caught:  # each its own
        tried()

    assert caught.type.__name__ != "SkipTest", caught.value


def test_one_that_is_not_installed_is_caught() -> None:
    class Absent(DetectorTests):
        detector_id = "nowhere"

    verdict = next(check(Absent()))

    assert verdict.outcome == "failed"
    assert "no detector 'nowhere' is installed" in verdict.reason


def test_one_whose_listing_loads_a_framework_is_caught_and_it_alone() -> None:
    class Heavy(DetectorTests):
        detector_id = "heavy"

    with pytest.raises(AssertionError, match="listing it imports jax"):
        Heavy().test_listing_it_imports_no_framework()
    suite(HEALTHY["labels"]).test_listing_it_imports_no_framework()


def test_every_law_has_one_that_it_catches_and_says_how_to_mend_it() -> None:
    names = laws(suite(HEALTHY["labels"]))
    caught = {f"test_{law}" for _, law, _ in ILL} | {
        "test_it_is_installed_and_described_by_json",
        "test_listing_it_imports_no_framework",
    }

    assert set(names) == caught
    for name, law in names.items():
        assert law.__doc__ is not None, name
        assert law.__doc__.startswith("To mend: "), name


def test_an_error_that_breaks_every_law_is_said_once() -> None:
    verdicts = list(check(suite(ill("Inventive"))))
    failed = [one for one in verdicts if one.outcome == "failed"]

    assert [one.law for one in failed] == [
        "listing it imports no framework",  # for it is not installed
        "it finds something in the sample",
    ]
    assert "returned ['unheard of']" in failed[1].reason
    assert "it fails as it did for a law above" in [one.reason for one in verdicts]


def test_laws_that_do_not_apply_say_why() -> None:
    skipped = {one.law: one.reason for one in check(suite(HEALTHY["labels"])) if one.reason}

    assert skipped["no seam shows"] == "it wants no tiles"


def test_a_suite_without_a_sample_says_so() -> None:
    class Bare(DetectorTests):
        detector_id = "labels"

    with pytest.raises(NotImplementedError, match="Bare must define sample"):
        Bare().sample()
