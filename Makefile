# Commands of the project. Each installs the locked packages first if they are missing.
PYTHON ?= python3.11
PRESET ?= demo
SOURCE ?=
ARGS ?=
INPUTS ?= 100000
STUDIES ?= studies
VERSION ?= 1
PORT ?= 5001
CLUSTER ?= infra/cluster.yaml
# What a checkout needs besides the packages of the jobs; cluster nodes set it to nothing.
EXTRAS ?= [dev]
MARKS ?= not gpu and not ray and not s3 and not browser and not slow and not integration

# Two test processes, each with whole files, in the order of pyproject's testpaths, which puts the long ones first. A job that a
# test starts spends most of its time on start-up, on one core. tests/hosts runs alone: on two cores, three raylets may not start
# in time next to other tests.
PYTEST := -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Without bytecode every process of a job compiles every module again, for half a second.
unexport PYTHONDONTWRITEBYTECODE

# As in tests/conftest.py, but before the tests' own process imports numpy.
test test-fast faults: export OMP_NUM_THREADS := 1

VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.done

.PHONY: help setup ablate warm-up test test-fast faults lint format mlflow mlflow-model mlflow-tunnel cloud-setup cloud-teardown cloud-rehearsal
help:
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(DONE)  ## install the locked packages into .venv

$(DONE): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.$(EXTRAS)'
	touch $@

ablate: $(DONE)  ## the study of Figure 2 on synthetic faces: PRESET=demo|hour|poster SOURCE=<300VW folder> ARGS='...'
	$(BIN)/python jobs/ablate.py --preset $(PRESET) $(if $(SOURCE),--source '$(SOURCE)') $(ARGS)

warm-up: $(DONE)  ## train the start weights in facegan/start_weights again, hours on two cores; resumes if interrupted
	$(BIN)/python jobs/warm_up.py $(ARGS)

test: $(DONE)  ## all tests except those that need a GPU
	$(BIN)/python $(PYTEST) -m 'not gpu'
	$(BIN)/python -m pytest tests/hosts

test-fast: $(DONE)  ## the unmarked tests: CPU, no network, under a minute
	$(BIN)/python $(PYTEST) -m '$(MARKS)'

faults: $(DONE)  ## damaged files and records, then kills, cuts and full disks: an hour, root, gcc; INPUTS=100000
	FUZZ_INPUTS=$(INPUTS) $(BIN)/python -m pytest tests/fuzz
	$(BIN)/python -m tests.faults

lint: $(DONE)  ## format check, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(DONE)  ## format, and fix what the linter can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

mlflow: $(DONE)  ## MLflow of the studies in a folder, on http://127.0.0.1:5000: STUDIES=studies
	@$(BIN)/python -m infra.mlflow.links --studies '$(STUDIES)'
	MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --workers 1 \
	--host 127.0.0.1 --port 5000 --backend-store-uri 'sqlite:///$(STUDIES)/mlflow.db'

# MLflow looks for its web server on the PATH.
mlflow-model: $(DONE)  ## serve a registered generator over HTTP, on http://127.0.0.1:5001: VERSION=1 STUDIES=studies
	PATH="$(CURDIR)/$(BIN):$$PATH" MLFLOW_DISABLE_TELEMETRY=true \
	MLFLOW_TRACKING_URI="$${MLFLOW_TRACKING_URI:-sqlite:///$(STUDIES)/mlflow.db}" \
	mlflow models serve --env-manager local --host 127.0.0.1 --port $(PORT) --model-uri models:/facegan-generator/$(VERSION)

mlflow-tunnel: $(DONE)  ## MLflow UI of the cluster's head, through SSH, on http://127.0.0.1:5000: CLUSTER=infra/cluster.yaml
	$(BIN)/ray dashboard $(CLUSTER) --port 5000 --remote-port 5000

cloud-setup: $(DONE)  ## create on AWS what ray up infra/cluster.yaml needs: ARGS='--bucket ... --weights ... --budget_email ...'
	$(BIN)/python -m infra.aws.setup $(ARGS)

cloud-teardown: $(DONE)  ## terminate all nodes and delete what cloud-setup created; ARGS='--delete_data True' deletes the data too
	$(BIN)/python -m infra.aws.teardown $(ARGS)

cloud-rehearsal: $(DONE)  ## follow infra/aws/README.md on a mocked AWS: root, 50 GB, half an hour; ARGS='--python .../python3.12'
	$(BIN)/python -m tests.cloud.rehearsal $(ARGS)
