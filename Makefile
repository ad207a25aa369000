# SPDX-License-Identifier: Apache-2.0
# Every target makes what it needs: nothing but Python 3.11, make and a package index is presumed.
.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := services gateway cli
# A suite is many processes: without bytecode beside the code each would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

.PHONY: run
run: $(VENV)/run.stamp $(VENV)/protos.stamp ## start the whole suite here; Ctrl-C stops it
	@exec $(BIN)/qupia run

.PHONY: demo
demo: $(VENV)/run.stamp $(VENV)/protos.stamp ## tell the story against the running suite
	@exec $(BIN)/qupia demo

.PHONY: fsck
fsck: $(VENV)/run.stamp $(VENV)/protos.stamp ## check the suite's records against each other
	@exec $(BIN)/qupia fsck

.PHONY: contract
contract: $(VENV)/run.stamp $(VENV)/protos.stamp ## print the table route, RPC, callers, evidence, clauses
	@exec $(BIN)/qupia contract

PYTEST := $(BIN)/python -m pytest -q -n 2 --dist loadfile

.PHONY: test
test: $(VENV)/dev.stamp $(VENV)/protos.stamp ## run the tests
	@$(PYTEST) --durations 10

.PHONY: test-long
test-long: $(VENV)/dev.stamp $(VENV)/protos.stamp ## run those that kill, restore and tamper
	@$(PYTEST) --durations 10 -m "long and not deep"

.PHONY: test-deep
test-deep: $(VENV)/dev.stamp $(VENV)/protos.stamp ## run all tests, the deepest too (half an hour)
	@$(PYTEST) --durations 25 -m "deep or not deep"

.PHONY: lint
lint: $(VENV)/dev.stamp $(VENV)/protos.stamp ## check format, rules, types, contract and imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python hatch_build.py image protos build/contract.binpb
	$(BIN)/buf lint build/contract.binpb --path qupia
	$(BIN)/buf format --diff --exit-code protos
	@.ci/breaking build/contract.binpb
	$(BIN)/lint-imports

.PHONY: bench
bench: $(VENV)/dev.stamp $(VENV)/protos.stamp ## measure everything, beside a bare echo server (minutes)
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.deliveries

.PHONY: bench-deep
bench-deep: $(VENV)/dev.stamp $(VENV)/protos.stamp ## the same with a million subjects and a million events
	@$(BIN)/python -m benchmarks --few 10000 --subjects 1000000 --events 1000000

.PHONY: proto
proto: $(VENV)/run.stamp ## generate the contract's Python modules
	@$(BIN)/python hatch_build.py generate
	@$(call protos_inputs) > $(VENV)/protos.stamp

.PHONY: lock
lock: ## resolve the dependencies anew into requirements/ (needs uv)
	uv pip compile $(LOCK) --extra embedded --group pyproject.toml:build \
		pyproject.toml -o requirements/run.lock
	uv pip compile $(LOCK) --extra embedded --extra pkcs11 --group pyproject.toml:build \
		--group pyproject.toml:dev -c requirements/run.lock pyproject.toml -o requirements/dev.lock

LOCK := -q --generate-hashes --no-emit-index-url --no-annotate --no-header --universal \
	--python-version 3.11

.PHONY: clean
clean: ## remove what was made here, but neither var/ (your data) nor .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(PACKAGES) protos tests -name __pycache__ -type d -prune -exec rm -rf {} +
	find protos -name '*_pb2*.py*' -delete
	rm -f protos/qupia/descriptors.binpb

# A stamp holds what the thing was made from. It is compared at every call, because times of files
# do not tell that a checkout was moved or a contract deleted.
run_inputs = { pwd -P; cat requirements/run.lock pyproject.toml hatch_build.py; }
dev_inputs = { $(run_inputs); cat requirements/dev.lock; }
protos_inputs = { cat hatch_build.py; find protos -type f | sort; \
	find protos -name '*.proto' | sort | xargs cat; }

.PHONY: always
always:

$(VENV)/run.stamp: always
	@$(run_inputs) 2>/dev/null | cmp -s - $@ || { $(call install,run) && $(run_inputs) > $@; }

$(VENV)/dev.stamp: $(VENV)/run.stamp always
	@$(dev_inputs) 2>/dev/null | cmp -s - $@ || { $(call install,dev) && $(dev_inputs) > $@; }

$(VENV)/protos.stamp: $(VENV)/run.stamp always
	@$(protos_inputs) 2>/dev/null | cmp -s - $@ || { $(BIN)/python hatch_build.py generate && $(protos_inputs) > $@; }

# Scripts hold the path of their interpreter: an environment of another path is made anew.
# `-e` together with --require-hashes is refused, hence two steps. compileall writes bytecode
# whatever PYTHONDONTWRITEBYTECODE says; without it every process would compile again.
define install
echo "qupia: preparing $(VENV) ($(1)) ..." && rm -f $(VENV)/$(1).stamp && \
{ { grep -qF " $(CURDIR)/$(VENV)" $(VENV)/pyvenv.cfg && $(BIN)/python -c ''; } 2>/dev/null || \
  { $(find_python) && "$$python" -m venv --clear "$(CURDIR)/$(VENV)"; }; } && \
$(PIP) --only-binary :all: --require-hashes -r requirements/$(1).lock && \
$(BIN)/python -m compileall -q -j 0 -x '$(NEVER_IMPORTED)' $(VENV)/lib && \
$(PIP) --no-build-isolation --no-index --editable .
endef

NEVER_IMPORTED := /(pip|setuptools|phonenumbers/(geodata|carrierdata|tzdata)|pygments/lexers)/
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --no-deps

define find_python
python= && for name in python3.11 python3 python3.12 python3.13; do \
	"$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	python=$$name && break; done; \
{ [ -n "$$python" ] || { echo "qupia: Python 3.11 or newer with venv is needed" >&2; false; }; }
endef
