# Everything a newcomer runs. Each target does its own set-up; `make help` lists them.
# Variables: PYTHON (3.11 or newer), POOL_PORT, APP_PORT, GATEWAY_PORT, PYTEST_ARGS.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# The lock files are complete, so pip resolves nothing: an old pip would ask for more than they name. `pip check` proves it.
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
# A module's tests stay together: they share servers and browsers.
PARALLEL := -n auto --dist loadscope
COMPLETE := $(RUN) -m pip check >/dev/null || { $(RUN) -m pip check; exit 1; }
export POOL_PORT APP_PORT GATEWAY_PORT
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test test-all test-world lint format schema lock bench bench-peers soak image image-test clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

$(VENV)/bin/python:
	@.ci/require venv
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Making the virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# What the gateway needs to run: the locked dependencies, each checked against its hash.
$(VENV)/.runtime: requirements.lock | $(VENV)/bin/python
	@echo "Installing the locked dependencies ..."
	@$(INSTALL) -r requirements.lock
	@$(COMPLETE)
	@touch $@

# What its tests and checks need on top.
$(VENV)/.dev: requirements-dev.lock | $(VENV)/bin/python
	@echo "Installing the locked dependencies of tests and checks ..."
	@$(INSTALL) -r requirements-dev.lock
	@$(COMPLETE)
	@touch $@ $(VENV)/.runtime

demo: $(VENV)/.runtime ## sign in to a sample application: pool, application and gateway on loopback
	@$(RUN) -m gateway demo

demo-reset: ## forget the users of the demo
	@rm -rf data/demo && echo "The demo's users are forgotten."

test: $(VENV)/.dev ## the tests, the browser's included (under 5 minutes)
	@.ci/require chromium
	@$(RUN) -m pytest $(PARALLEL) -m "not peers and not world" --cov --cov-report=term:skip-covered $(PYTEST_ARGS)
	@$(RUN) -m coverage report --include='gateway/core/*' --fail-under=100 --format=total >/dev/null \
	  || { echo "gateway/core must be covered to 100 % of its branches:"; $(RUN) -m coverage report --include='gateway/core/*' --fail-under=100; }

test-all: $(VENV)/.dev ## what takes longer: providers and clients that nobody here wrote, larger searches (under 20 minutes)
	@.ci/require chromium node npm nginx postgresql
	@cd tests/peers && npm ci --no-audit --no-fund --loglevel=error
	@HYPOTHESIS_PROFILE=thorough $(RUN) -m pytest $(PARALLEL) -m "(peers or property) and not world" $(PYTEST_ARGS)

PYTHONS ?= $(filter-out $(PYTHON),$(wildcard $(foreach minor,12 13 14,/usr/bin/python3.$(minor) /usr/local/bin/python3.$(minor))))
test-world: $(VENV)/.dev ## on demand and before a release: real applications, other versions of Python and of the dependencies, the image
	@.ci/require chromium node npm go
	@HYPOTHESIS_PROFILE=exhaustive $(RUN) -m pytest $(PARALLEL) -m "world or property" $(PYTEST_ARGS)
	@.ci/versions lowest newest $(PYTHONS)
	@.ci/image test

lint: $(VENV)/.dev ## ruff, mypy and the architecture's contracts
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(VENV)/bin/lint-imports --no-logo 2>/dev/null || $(VENV)/bin/lint-imports

format: $(VENV)/.dev ## put the sources into their one form
	@$(RUN) -m ruff check --fix --quiet . ; $(RUN) -m ruff format --quiet .

schema: $(VENV)/.runtime ## write the JSON Schemas of the settings anew
	@$(RUN) -m gateway schema > config/gateway.schema.json
	@$(RUN) -m gateway schema --pool > config/pool.schema.json

COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  --no-annotate --no-emit-index-url --no-emit-find-links

lock: $(VENV)/.dev ## resolve the dependencies anew, each at its newest version
	@$(COMPILE) pyproject.toml --upgrade --all-extras --group dev -o requirements-dev.lock
	@$(COMPILE) pyproject.toml --all-extras -c requirements-dev.lock -o requirements.lock
	@$(COMPILE) --group build -c requirements-dev.lock -o requirements-build.lock

bench: $(VENV)/.dev ## measure the gateway against nginx and the bare server
	@.ci/require nginx wrk
	@$(RUN) -m bench

bench-peers: $(VENV)/.dev ## the same with mod_auth_openidc and oauth2-proxy beside it
	@.ci/require nginx wrk apache2 mod_auth_openidc
	@$(RUN) -m bench --peers

soak: $(VENV)/.dev ## two million requests of mixed kinds
	@.ci/require nginx wrk
	@$(RUN) -m bench.soak

image: ## build the container image with docker, podman or buildah
	@.ci/image build

image-test: ## build the image without a daemon, and sign a user in inside it
	@.ci/image test

clean: ## remove what the targets made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* .make build dist tests/peers/node_modules
