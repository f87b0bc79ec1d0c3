# make demo | test | serve | chaos | bench | fuzz | lint; each sets up what it needs.
export PYTHON ?= python3
export ORT_DISABLE_TELEMETRY ?= 1
RUN := .venv/bin/python
PHOTOS ?=
PROFILE ?= auto
SHORT ?=
TIME ?= 60
TARGETS ?=

.PHONY: help demo test serve chaos bench fuzz fuzz-server lint format lock train audit sbom

help: ## these lines
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 13

demo: setup ## start Triton, search an album and find its people; PHOTOS=<folder> takes your own
	$(RUN) -m demo.run --profile $(PROFILE) $(if $(PHOTOS),--photos "$(PHOTOS)")

test: setup-torch ## every test, two at a time
	$(RUN) -m pytest -n 2

serve: setup ## keep a server running; PROFILE=openvino for Intel
	.venv/bin/triptych serve --profile $(PROFILE)

chaos: setup ## break things on purpose under load; SHORT=1 takes half a minute
	$(RUN) -m loadtest.chaos $(if $(SHORT),--short)

bench: setup ## the numbers of docs/performance.md, as ratios
	$(RUN) -m loadtest.bench

fuzz: setup ## look for input that breaks something; TIME=60 seconds a target, TARGETS="forms pictures" takes these
	$(RUN) -m tests.fuzz.run --seconds $(TIME) $(TARGETS)
	$(if $(TARGETS),,SCHEMA_EXAMPLES=1000 $(RUN) -m pytest -q tests/e2e/gateway/test_schema.py)

fuzz-server: setup ## 10,000 mutated pictures through a real server
	$(RUN) -m tests.fuzz.server --pictures 10000

lint: setup-torch ## ruff and mypy (which reads the types of PyTorch)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

format: setup ## let ruff write
	$(RUN) -m ruff check --fix
	$(RUN) -m ruff format

lock: setup ## resolve requirements.lock anew
	$(RUN) -m uv pip compile --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --upgrade pyproject.toml -o requirements.lock

audit: setup ## known vulnerabilities of what requirements.lock pins, from PyPI; fails, too, where PyPI does not tell
	@$(RUN) -m pip_audit -r requirements.lock --require-hashes --disable-pip --strict --progress-spinner off \
		|| { echo "audit: failed. Where pypi.org cannot be reached nothing was checked: run it where it can."; exit 1; }

sbom: setup ## dist/sbom.cdx.json: every pinned package with its hashes, in CycloneDX
	@mkdir -p dist
	$(RUN) -m cyclonedx_py requirements --output-reproducible --pyproject pyproject.toml -o dist/sbom.cdx.json requirements.lock

train: setup-torch ## train the demo models anew
	$(RUN) -m demo.train
	$(RUN) -m demo.faces.train

.PHONY: setup setup-torch
setup:
	@tools/setup.sh
setup-torch:
	@tools/setup.sh torch
