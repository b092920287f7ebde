# Two commands do all the set-up: `make run` and `make test`.
PYTHON ?= python3
# What serves, and what tests; an environment named by VENV is both.
VENV ?= .venv
TEST_VENV ?= $(if $(filter .venv,$(VENV)),.venv-test,$(VENV))
BIN := $(TEST_VENV)/bin
# A stamp per set of inputs: an environment is made anew when they change, and kept when they don't.
INPUTS := $(shell cat pyproject.toml tools/install.py rppg_core/face/*.[ch] | sha256sum | cut -c1-16)
CHECKOUT := $(shell pwd | sha256sum | cut -c1-16)
RUNTIME := $(VENV)/.runtime-$(INPUTS)
TESTING := $(TEST_VENV)/.testing-$(INPUTS)
INSTALLED := $(TEST_VENV)/.installed-$(CHECKOUT)-$(INPUTS)

# Arrays here are small: threads of the linear algebra would only stand in each other's way, as in the service.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

# A test run starts hundreds of processes: each would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

# What passed is deleted at once, while it is in memory: to take the files of a former run from a disk costs half a minute.
export PYTEST_ADDOPTS ?= -o tmp_path_retention_policy=failed

# What mypy has found out stays with the environment: a fresh checkout would take a minute to find it out again.
export MYPY_CACHE_DIR ?= $(abspath $(TEST_VENV))/.mypy_cache

.PHONY: help install compiled run demo chromium shell servers faketime ffmpeg promtool lock test test-all test-redis lint fuzz faults bench bench-accuracy bench-load bench-peers bench-soak docs release diagrams screenshots states lighthouse clean

help:
	@echo "make run     the service on port 8000, with a Redis of its own"
	@echo "make demo    the service, measured through HTTP on a face whose pulse is known"
	@echo "make test    lint, types and the tests; make test-all, before a release: every row, every server and the long runs"
	@echo "make docs    docs/ as a site in build/site; make screenshots and make lighthouse look at the pages of the service"
	@echo "make release VERSION=0.2.0 sets the version, builds the three packages, an SBOM and checksums; DRY_RUN=1 shows the changes"
	@echo "make lock    requirements.lock anew after a change of pyproject.toml; UPGRADE=--upgrade for the newest of all"
	@echo "make bench   speed and memory, measured here; it writes docs/capacity.md"
	@echo "make fuzz    10 000 broken pictures, 500 broken videos, extreme numbers in 2000 requests and 200 videos"
	@echo "make faults  a thousand windows while everything is killed, restarted and cut; bench-soak, ten minutes of load"
	@echo "make bench-accuracy writes docs/accuracy.md, bench-peers benchmarks/peers.md; bench-load lets a day pass"

# An environment for tests can serve too.
$(RUNTIME):
	@[ -e $(VENV)/.testing-$(INPUTS) ] || { echo "Installing Beam into $(VENV)" && $(PYTHON) tools/install.py $(VENV) --editable .; }
	@touch $@

$(TESTING):
	@echo "Installing Beam and its tests into $(TEST_VENV)"
	@$(PYTHON) tools/install.py $(TEST_VENV) --editable '.[dev,landmarks68]'
	@touch $@

# The package itself is installed once per checkout: a kept environment may have served another one. It has setuptools
# already; an environment apart to build in would be fetched each time. A fresh checkout where an older one was has no
# compiled code yet.
$(INSTALLED): $(TESTING) $(if $(wildcard rppg_core/face/*.so),,compiled)
	@rm -f $(TEST_VENV)/.installed-*
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

compiled:

install: $(INSTALLED)

run: $(RUNTIME)
	$(VENV)/bin/beam serve

demo: $(RUNTIME)
	$(VENV)/bin/beam demo $(DEMO)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What the image installs: each version with its hashes, for the image's Python and platform.
lock: install
	$(BIN)/uv pip compile pyproject.toml --extra s3 --python-version 3.12 --python-platform x86_64-manylinux_2_28 \
		--only-binary :all: --generate-hashes --no-header --quiet $(UPGRADE) --output-file requirements.lock

# Browser tests drive Debian's Chromium; elsewhere they need a chromium on the PATH, and are skipped without one.
chromium:
	@command -v chromium >/dev/null || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] \
		|| (apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends chromium fonts-dejavu-core)

# Pages that need no camera are tested in the browser's headless shell where it can be had: at a third of the cost.
shell: chromium
	@command -v chromium-headless-shell >/dev/null || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] \
		|| (apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends chromium-headless-shell) \
		|| echo "No headless shell: pages are tested in Chromium itself"

# Prometheus's own checks of deploy/monitoring, from Debian's package, of which nothing else is wanted.
promtool: install
	@command -v promtool >/dev/null || [ -x $(BIN)/promtool ] || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] \
		|| (apt-get -qq update && mkdir -p $(TEST_VENV)/deb && cd $(TEST_VENV)/deb \
		&& apt-get -qq -o APT::Sandbox::User=root download prometheus \
		&& dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x -C ../bin --strip-components=3 ./usr/bin/promtool; rm -rf $(abspath $(TEST_VENV))/deb)

# Debian's Redis, beside those that come from PyPI, and a load balancer: what needs them is skipped where they are not.
servers:
	@command -v redis-server >/dev/null && [ -x /usr/sbin/nginx ] || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] \
		|| (apt-get -qq update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends redis-server nginx-light)

# A Redis whose clock jumps goes by Debian's libfaketime; skipped without it.
faketime:
	@ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] \
		|| (apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends libfaketime)

# Once in a while Chromium and its driver hang on a machine that is busy, and no time limit of pytest's gets through to
# them: so they have a run of their own, with a limit from outside, and what failed a second try. (5: TESTS names none.)
LIMIT := $(if $(shell command -v timeout),timeout --kill-after=10 600)
# Cameras that are simulated in real time fall behind if more browsers run at once than there are cores.
BROWSERS ?= 2
OR_NONE := status=$$?; [ $$status = 0 ] || [ $$status = 5 ]
BROWSER = $(LIMIT) $(BIN)/python -m pytest -n $(BROWSERS) --dist load --maxschedchunk 1 -m browser $(or $(TESTS),tests/browser)

# Test files run side by side, twice as many as there are cores, since for a quarter of their time they wait; what loads
# the machine, or depends on its speed, comes last and alone. Those last runs name their files: to collect all tests
# again would take six seconds each. What fails beside others has to pass alone, and is named in the output twice.
WORKERS ?= 4
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PYTEST = $(BIN)/python -m pytest -m "not browser and not serial" $(TESTS)
# Types are checked beside a collection of all tests, which leaves their bytecode for the workers.
test: install chromium shell servers faketime promtool
	@{ $(BIN)/python -m pytest --collect-only -q $(TESTS) >/dev/null 2>&1 & }; $(MAKE) --no-print-directory lint && wait
	@{ $(PYTEST) $(PARALLEL); $(OR_NONE); } || { echo "What failed beside others once more, alone:"; $(PYTEST) --last-failed --last-failed-no-failures none; }
	$(BIN)/python -m pytest -m "serial and not browser" $(or $(TESTS),$$($(BIN)/python -m tests.order)); $(OR_NONE)
	@{ $(BROWSER); $(OR_NONE); } || { echo "What failed in browsers once more:"; $(BROWSER) --last-failed; $(OR_NONE); }

# All that `make test` leaves out: further rows and examples of what it shows, other servers, long runs.
test-all: export THOROUGH = 1
test-all: export PYTEST_ADDOPTS = -o tmp_path_retention_policy=all
test-all: test test-redis fuzz faults

# Every test of the service's parts with another server in the place of the bundled one.
test-redis: install servers
	for kind in debian redis8 valkey cluster; do $(BIN)/python -m pytest -q tests/beam_api --redis $$kind || exit 1; done

# The same mutants each time; tests/hostile sends a few of them in every run.
fuzz: install
	FUZZ_PICTURES=10000 FUZZ_VIDEOS=500 FUZZ_NUMBERS=2000 FUZZ_CONTAINER_TIMES=200 $(BIN)/python -m pytest \
		tests/hostile/test_pictures.py tests/hostile/test_films.py tests/hostile/test_numbers.py -s -q --timeout=7200

# A thousand windows while everything is killed, restarted and cut, and each fault by itself: twenty minutes.
faults: install
	THOROUGH=1 BEAM_FAULT_WINDOWS=1000 RACE_WINDOWS=200 SENTINEL_FAILOVER=1 $(BIN)/python -m pytest tests/faults \
		tests/integration/test_races.py tests/integration/test_topologies.py

bench: install
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.running
	$(BIN)/python -m benchmarks.strides
	$(BIN)/python -m benchmarks.service
	$(BIN)/python -m benchmarks.video
	$(BIN)/python -m benchmarks.long_videos
	$(BIN)/python -m benchmarks.capacity

bench-accuracy: install
	$(BIN)/python -m benchmarks.accuracy

# LOAD='--seconds 600 --people 40', or --host and --key of a service that runs.
bench-load: install
	$(BIN)/python -m benchmarks.load $(LOAD)

# One of the peers reads videos by the command ffmpeg.
ffmpeg:
	@command -v ffmpeg >/dev/null || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] \
		|| (apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends ffmpeg)

# CLIP=path of a video of one face; its true rate with PEERS='--rate 70'.
bench-peers: install ffmpeg
	$(BIN)/python -m benchmarks.peers $(CLIP) $(PEERS)

# Ten minutes at four fifths of what the machine can; SOAK='--minutes 1' for a short look.
bench-soak: install
	$(BIN)/python -m benchmarks.soak $(SOAK)

# docs/ as a site, without network; a link that leads nowhere ends it.
docs: install
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/mkdocs build --strict --quiet
	@echo "Serve build/site with any web server: $(BIN)/python -m http.server -d build/site -b 127.0.0.1 8080"

# Three packages of one version, from the last commit: docs/releasing.md.
release: install
	$(BIN)/python -m tools.release $(VERSION) $(if $(DRY_RUN),--dry-run)

# The pictures of README.md, taken of a service that is started for it.
screenshots: install chromium
	$(BIN)/python -m tools.screenshots

# Every page and state, on a desktop, a phone and in the dark, to be looked at in build/states.
states: install chromium
	$(BIN)/python -m tools.page_states

# The drawings of the diagrams in docs/, by Mermaid from npm; a test says which are not drawn as they are written.
diagrams: install chromium
	$(BIN)/python -m tools.draw_diagrams

# What Lighthouse, from npm, says of each page; PAGES='/ /keys' for some.
lighthouse: install chromium
	$(BIN)/python -m tools.lighthouse $(PAGES)

clean:
	rm -rf .venv .venv-test build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
