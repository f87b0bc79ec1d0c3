# make demo | test | serve | chaos | bench | lint; each sets up what it needs.
export PYTHON ?= python3
export ORT_DISABLE_TELEMETRY ?= 1
RUN := .venv/bin/python
PHOTOS ?=
PROFILE ?= auto
SHORT ?=

.PHONY: help demo test serve chaos bench lint format lock train

help: ## these lines
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: setup ## start Triton, search an album and find its people; PHOTOS=<folder> takes your own
	$(RUN) -m demo.run --profile $(PROFILE) $(if $(PHOTOS),--photos "$(PHOTOS)")

test: setup-torch ## every test, two at a time
	$(RUN) -m pytest -n 2 --dist loadgroup

serve: setup ## keep a server running; PROFILE=openvino for Intel
	.venv/bin/triptych serve --profile $(PROFILE)

chaos: setup ## break things on purpose under load; SHORT=1 takes half a minute
	$(RUN) -m loadtest.chaos $(if $(SHORT),--short)

bench: setup ## the numbers of docs/performance.md, as ratios
	$(RUN) -m loadtest.bench

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

train: setup-torch ## train the demo models anew
	$(RUN) -m demo.train
	$(RUN) -m demo.faces.train

.PHONY: setup setup-torch
setup:
	@tools/setup.sh
setup-torch:
	@tools/setup.sh torch
