"""Laws of what a detector declares."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

from delineate.plugins import registry
from delineate.plugins.options import parse
from delineate.plugins.registry import Registry
from delineate.testing.subject import Subject, hold

__all__ = ["DeclarationLaws"]

_HEAVY = frozenset(
    ("fastapi", "httpx", "jax", "monai", "onnxruntime", "openvino", "tensorflow", "torch")
)
_LISTING = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    "from importlib.metadata import EntryPoint\n"
    "from delineate.plugins.registry import Registry, describe\n"
    "for spec in Registry.of([EntryPoint(*json.loads(sys.argv[2]))]).specs: describe(spec)\n"
    "print(json.dumps(sorted(sys.modules)))"
)


class DeclarationLaws(Subject):
    """It is found, described and listed at no cost."""

    def test_it_is_installed_and_described_by_json(self) -> None:
        """To mend: name the declaration in pyproject.toml under the entry points of the group
        ``delineate.detectors`` and install the package; keep to plain values in it.
        """
        description = registry.describe(self.spec)

        same = json.loads(json.dumps(description)) == description
        hold(same, "the declaration is not the same after a way through JSON")

    def test_listing_it_imports_no_framework(self) -> None:
        """To mend: import frameworks in the factory's module or in its methods, never in the
        module of the declaration; ``factory`` is a string for that reason.
        """
        point = self._entry_point()
        arguments = [json.dumps(sys.path), json.dumps([point.name, point.value, point.group])]
        listed = subprocess.run(
            [sys.executable, "-c", _LISTING, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        hold(listed.returncode == 0, f"listing it fails: {listed.stderr[-400:]}")
        heavy = sorted(_HEAVY & set(json.loads(listed.stdout.splitlines()[-1])))
        hold(not heavy, f"listing it imports {', '.join(heavy)}")

    def test_every_option_has_a_default_and_a_description(self) -> None:
        """To mend: write each as ``name: type = Field(default, description="...")``."""
        for name, field in self.spec.options.model_fields.items():
            hold(not field.is_required(), f"option {name} has no default")
            hold(bool(field.description), f"option {name} has no description")

    def test_its_options_survive_json(self) -> None:
        """To mend: use types that pydantic reads back from JSON (numbers, strings, truth values,
        lists, enumerations), and validators that leave a valid value as it is.
        """
        options = parse(self.spec, self.options)

        same = type(options).model_validate_json(options.model_dump_json()) == options
        hold(same, f"the options change on a way through JSON: {options}")

    def _entry_point(self) -> EntryPoint:
        identifier = self.spec.id
        for point in entry_points(group=registry.GROUP):
            if any(spec.id == identifier for spec in Registry.of([point]).specs):
                return point
        raise AssertionError(f"no entry point of the group {registry.GROUP} declares {identifier}")
