# Everything runs in .venv, made from uv.lock by the first target that needs it.
# Wanted on the machine: make and any Python 3; where that is not the one of
# .python-version, uv downloads it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
# What pip would take, for a Python without pip.
UV_WHEEL := https://files.pythonhosted.org/packages/3d/aa/26d64642d808de4a652579ef950d7cd2d37f080a8babf9c67c6b75fc4c3f/uv-$(UV_VERSION)-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
UV_SHA256 := d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19
# An installed uv is used; else one of our own in this folder, which needs no
# root and which no distribution forbids.
TOOLS := .venv-tools
UV := $(shell command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1 && echo uv || echo $(TOOLS)/bin/uv)
# pyfarmhash, which TFDV needs, has no wheel for Python 3.10; where the machine has
# no compiler, it is compiled by Zig's, which comes as a wheel.
ZIG_VERSION := 0.17.1
COMPILER := $(TOOLS)/compiler
PYTHON := .venv/bin/python
READY := .venv/.ready

# $(call refuse,SENTENCE) in a recipe.
refuse = { echo "make: $(1)." >&2; exit 1; }
COMMA := ,
# Of `said`: the deepest of the causes that uv lists, or else the last line.
LAST_REASON = $$(sed -n 's/^ *cause: //p' <<< "$$said" | tail -n 1 | grep . || tail -n 1 <<< "$$said")

# Tests run in as many processes as there are cores; more than eight would only
# wait for the longest file. A file stays in one process, where its fixtures are
# made once. ARGS="-n0" runs all tests in one, as a debugger wants it.
WORKERS := $(shell cores=$$(nproc); echo $$((cores < 8 ? cores : 8)))
PYTEST := $(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# Of the container image.
VARIANT := cpu
IMAGE := movielens-tfx:$(VARIANT)

# Without compiled modules importing TFX takes 42 s instead of 18; some
# environments switch the compiling off.
export UV_COMPILE_BYTECODE := 1
# TFRS, TFT and TFMA wrap Keras 2; TensorFlow reads this on its first import.
export TF_USE_LEGACY_KERAS := 1

.PHONY: help setup run test quick fuzz chaos lint bench table image clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 16

setup: $(READY) ## make the virtual environment

run: $(READY) ## run the pipeline; ARGS="--preset ml-1m-neumf ..." goes to local_runner.py
	@code=0; $(PYTHON) local_runner.py $(ARGS) || code=$$?; \
	case $$code in \
	  0) exit 0 ;; \
	  2) meaning="bad input or configuration" ;; \
	  3) meaning="trained but not blessed, so nothing was pushed" ;; \
	  130) meaning="interrupted" ;; \
	  *) meaning="failed" ;; \
	esac; \
	echo "local_runner.py ended with exit code $$code: $$meaning (make itself ends with 2 whatever the code)" >&2; \
	exit $$code

test: $(READY) ## run the tests; ARGS="-k name ..." goes to pytest
	@$(PYTEST) $(ARGS)

quick: $(READY) ## run the tests that take no longer than a second, and no pipeline
	@$(PYTEST) -m "not (seconds or slow or fuzz or e2e or cluster or chaos)" $(ARGS)

fuzz: $(READY) ## run for ten minutes the tests that draw damaged files and configurations
	@$(PYTEST) -m fuzz --hypothesis-profile=fuzz $(ARGS)

# In one process, so that each fault is told when it is done.
chaos: $(READY) ## break small pipelines 200 times at random, an hour; ARGS="--chaos-seed N --chaos-faults N"
	@$(PYTHON) -m pytest -n0 -s -m chaos tests/chaos $(ARGS)

lint: $(READY) ## ruff and mypy
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

bench: $(READY) ## run the benchmarks; ARGS="--data DIR" names a folder of ML-1M
	@for file in $(filter-out benchmarks/models.py,$(wildcard benchmarks/*.py)); do echo "== $$file"; $(PYTHON) "$$file" $(ARGS); done

table: $(READY) ## train every model of the README's table, hours; ARGS="--data DIR" names He et al.'s split
	@$(PYTHON) benchmarks/models.py $(ARGS)

image: ## build the container image; VARIANT=cuda adds CUDA, IMAGE=name:tag names it
	@command -v docker >/dev/null || { echo "make image: docker is missing; install Docker 23 or later (docs/deploy.md)" >&2; exit 1; }
	@docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || { echo "make image: docker is here, but no daemon answers it; start one, or set DOCKER_HOST (docs/deploy.md)" >&2; exit 1; }
	docker build --build-arg VARIANT=$(VARIANT) --tag $(IMAGE) .

clean: ## remove the virtual environment and caches; outputs of runs stay
	rm -rf .venv $(TOOLS) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

# A Python that is missing, or that uv cannot ask for its version.
$(READY): pyproject.toml uv.lock .python-version | $(filter $(TOOLS)/%,$(UV))
	@wanted=$${UV_PYTHON:-$$(< .python-version)}; \
	$(UV) python find "$$wanted" >/dev/null 2>&1 || { \
	  echo "Python $$wanted is not here, so uv downloads it"; \
	  said=$$($(UV) python install "$$wanted" 2>&1) || $(call refuse,Python $$wanted is not on this machine and uv could not download it from github.com ($(LAST_REASON)); install Python $$wanted$(COMMA) or name another from 3.10 to 3.13 that is here as in UV_PYTHON=3.12 make setup (from 3.11 on TFX is 1.21 and needs glibc 2.39)); \
	}
	@echo "Installing what uv.lock names into .venv (minutes on the first time)"
	@if ! command -v g++ >/dev/null && ! command -v c++ >/dev/null; then \
	  echo "No C++ compiler is here, so uv fetches Zig's"; \
	  mkdir -p $(COMPILER); \
	  for name in cc c++; do \
	    printf '#!/bin/sh\nexec %s tool run --quiet --from ziglang==$(ZIG_VERSION) python-zig %s "$$@"\n' \
	      "$(if $(filter uv,$(UV)),uv,$(CURDIR)/$(UV))" "$$name" > "$(COMPILER)/$$name"; \
	    chmod +x "$(COMPILER)/$$name"; \
	  done; \
	  export CC="$(CURDIR)/$(COMPILER)/cc" CXX="$(CURDIR)/$(COMPILER)/c++"; \
	fi; \
	$(UV) sync --frozen || $(call refuse,uv could not install what uv.lock names$(COMMA) see its words above; the packages come from files.pythonhosted.org$(COMMA) which must be reached$(COMMA) and pyfarmhash is compiled$(COMMA) which needs the headers of Python (Debian: python3-dev))
	@touch $@

$(TOOLS)/bin/uv: export PROGRAM = $(UNPACK_UV)
$(TOOLS)/bin/uv:
	@command -v python3 >/dev/null || $(call refuse,neither uv nor python3 is here; install Python 3 or uv (docs.astral.sh/uv))
	@echo "Installing uv $(UV_VERSION) into $(TOOLS)"
	@if python3 -m pip --version >/dev/null 2>&1; then \
	  set -- -m pip install --quiet --disable-pip-version-check --target=$(TOOLS) \
	    --only-binary=:all: --require-hashes --requirement=/dev/stdin; \
	else \
	  set -- -c "$$PROGRAM" $(UV_WHEEL) $(UV_SHA256) $@; \
	fi; \
	said=$$(python3 "$$@" 2>&1 <<< "uv==$(UV_VERSION) --hash=sha256:$(UV_SHA256)") || $(call refuse,uv $(UV_VERSION) is not here and could not be installed ($(LAST_REASON)); install it (docs.astral.sh/uv) or let files.pythonhosted.org be reached)

# Takes the one file that uv is out of its wheel.
define UNPACK_UV
import hashlib, io, os, sys, urllib.request, zipfile
url, digest, target = sys.argv[1:]
try:
    content = urllib.request.urlopen(url, timeout=60).read()
except OSError as error:
    sys.exit("{}: {}".format(url, error))
if hashlib.sha256(content).hexdigest() != digest:
    sys.exit("{} has another SHA-256 than {}".format(url, digest))
wheel = zipfile.ZipFile(io.BytesIO(content))
(name,) = [name for name in wheel.namelist() if name.endswith("/scripts/uv")]
os.makedirs(os.path.dirname(target), exist_ok=True)
with open(target + ".unfinished", "wb") as out:
    out.write(wheel.read(name))
os.chmod(out.name, 0o755)
os.rename(out.name, target)
endef
