# Everything runs in .venv, made from uv.lock by the first target that needs it.
# Wanted on the machine: make and Python (see .python-version; uv finds it).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
# An installed uv is used; else one of our own in this folder, which needs no
# root and which no distribution forbids.
TOOLS := .venv-tools
UV := $(shell command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1 && echo uv || echo $(TOOLS)/bin/uv)
PYTHON := .venv/bin/python
READY := .venv/.ready

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

.PHONY: help setup run test quick lint bench table image clean

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
	@$(PYTEST) -m "not (seconds or slow or e2e or cluster)" $(ARGS)

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

$(READY): pyproject.toml uv.lock .python-version | $(filter $(TOOLS)/%,$(UV))
	@echo "Installing what uv.lock names into .venv (minutes on the first time)"
	@$(UV) sync --frozen
	@touch $@

$(TOOLS)/bin/uv:
	@echo "Installing uv $(UV_VERSION) into $(TOOLS)"
	@python3 -m pip install --quiet --disable-pip-version-check --target=$(TOOLS) uv==$(UV_VERSION)
