"""The client of 3D Slicer's extension, as it is in the package ``monailabel``, unmodified."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

_PLACE = "monailabel/plugins/slicer/MONAILabel/MONAILabelLib/client.py"

# It leaves its files and connections to the collector.
UNTIDY = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def load() -> ModuleType:
    """Import it; skips where it is not installed, or Python lacks what it imports."""
    if sys.version_info >= (3, 13):
        pytest.skip("the client of MONAI Label imports cgi, which Python 3.13 no longer has")
    path = Path(sys.prefix) / _PLACE
    if not path.is_file():
        pytest.skip("pip install --no-deps -r tests/monailabel-requirements.txt brings the client")
    spec = importlib.util.spec_from_file_location("slicer_monailabel_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        spec.loader.exec_module(module)
    return module
