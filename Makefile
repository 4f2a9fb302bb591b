# Needs make, and Python 3.11 or later with venv. `make` alone lists the commands.
PYTHON ?= python3
VENV   ?= .venv
INDEX  ?= .pincite
HOST   ?= 127.0.0.1
PORT   ?= 8000
# Extra pip options for installing torch, for example the package index with torch's CPU builds.
TORCH_OPTIONS ?=
# For train-reader: training sets, the initial cross-encoder, weights to load over its own, the device (cuda or cpu), test
# sets for calibration with the number of questions of each, the output folder. For bench-readers: NAME=FOLDER of a reader.
DATA   ?= ../shared/data/train
START  ?= reranker_en
WEIGHTS ?=
DEVICE ?= cpu
DEV    ?= $(addprefix ../shared/data/dev/,squad2 fairytaleqa clapnq real_docs)
BESIDE ?=
MOST   ?= squad2=200 clapnq=200 fairytaleqa=100
READER ?= runs/reader
FUZZ_SECONDS ?= 1200
# For torture.
KILLS  ?= 200
POINTS ?= 300
SEED   ?= 1
# For soak.
MINUTES ?= 60

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
LOCKED = $(PIP) install --quiet --no-deps --require-hashes --only-binary :all:
UV = uv==0.13.9

.DEFAULT_GOAL := help
.PHONY: help install serve test check fuzz threshold bench bench-peers bench-readers bench-servers bench-deadlines bench-growth bench-pages bench-updates bench-chooser bench-ray bench-stores bench-thresholds capacity load soak torture train-reader examples docs lock clean
.DELETE_ON_ERROR:

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo "Variables: PYTHON VENV INDEX HOST PORT TORCH_OPTIONS DATA START DEV READER KILLS POINTS SEED MINUTES FUZZ_SECONDS, as in: make serve PORT=9000"

install: $(VENV)/installed  ## make .venv with the locked versions

serve: install  ## install, index seeds/ and serve on http://127.0.0.1:8000
	$(BIN)/pincite serve seeds --index $(INDEX) --host $(HOST) --port $(PORT)

test: $(VENV)/installed-dev  ## run the tests
	$(BIN)/python -m pytest -n 2

check: $(VENV)/installed-dev  ## lint, format, types, direction of imports, modules without a test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.support.imported

fuzz: $(VENV)/installed-dev  ## send valid and invalid requests from the OpenAPI document (FUZZ_SECONDS, 20 minutes)
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m tests.support.fuzzing

bench: $(VENV)/installed-dev  ## measure speed and quality: eval/RESULTS.md, reports in runs/
	$(BIN)/python -m eval.benchmarks.bench --out runs

bench-peers: $(VENV)/installed-peers  ## compare with Haystack, txtai and a cross-encoder
	$(BIN)/python -m eval.benchmarks.peers --out runs

bench-readers: $(VENV)/installed-dev  ## compare the reader with others (BESIDE) and the textbook pipeline (START)
	$(BIN)/python -m eval.benchmarks.readers $(DEV) eval/data/seeds --cross-encoder $(START) $(addprefix --reader ,$(BESIDE)) \
		$(addprefix --most ,$(MOST)) --together clapnq --work runs/readers --record

bench-servers: $(VENV)/installed-dev  ## compare HTTP servers: what each rejects, and its speed
	$(BIN)/python -m eval.benchmarks.servers measure

bench-growth: $(VENV)/installed-dev  ## measure how search scales to a million passages (20 minutes, 3 GB in runs/)
	$(BIN)/python -m eval.benchmarks.growth --work runs/growth --data $(DATA)

bench-pages: $(VENV)/installed-dev  ## measure the page in Chromium: transfer size, paint, layout shifts, scrolling
	$(BIN)/python -m eval.benchmarks.pages

bench-stores: $(VENV)/installed-dev  ## compare Milvus (milvus-lite, in process) with a folder: answers, recall, speed, scaling
	$(BIN)/python -m eval.benchmarks.stores $(DEV) --work runs/stores --data $(DATA)

load: $(VENV)/installed-dev  ## measure the service under load: throughput, latency, fairness (needs wrk): 15 minutes
	$(BIN)/python -m eval.benchmarks.load --out runs/load --data $(DATA)

bench-deadlines: $(VENV)/installed-dev  ## measure how well deadlines are met (needs wrk): 4 minutes
	$(BIN)/python -m eval.benchmarks.deadlines --out runs/deadlines

soak: $(VENV)/installed-dev  ## an hour at 80 % of the service's capacity, with updates (MINUTES)
	$(BIN)/python -m eval.benchmarks.soak --minutes $(MINUTES)

bench-updates: $(VENV)/installed-dev  ## measure latency while documents change: ten minutes
	$(BIN)/python -m eval.benchmarks.updates

bench-chooser: $(VENV)/installed-dev  ## measure the effect of a language model on citations: scripted models, right and hostile
	$(BIN)/python -m eval.benchmarks.choosers

bench-thresholds: $(VENV)/installed-dev  ## measure what the thresholds of answering do, each at several values
	$(BIN)/python -m eval.benchmarks.thresholds --out runs/thresholds

bench-ray: $(VENV)/installed-dev  ## measure building with Ray workers, one of them killed halfway
	$(BIN)/python -m eval.benchmarks.ray_build

capacity: $(VENV)/installed-dev  ## compute the tables of eval/CAPACITY.md from RESULTS.md
	$(BIN)/python -m eval.benchmarks.capacity

torture: $(VENV)/installed-dev  ## kill the service and simulate power losses, hundreds of times (KILLS POINTS SEED): half an hour
	$(BIN)/python -m tests.support.torture --kills $(KILLS) --points $(POINTS) --seed $(SEED)

threshold: $(VENV)/installed-dev  ## choose the threshold on answers as they are served (DEV)
	$(BIN)/python -m eval.benchmarks.operating_point $(filter-out %/real_docs,$(DEV)) eval/data/seeds \
		--real eval/data/real --real $(filter %/real_docs,$(DEV)) --write service/reader/weights/calibration.json

train-reader: $(VENV)/installed-dev  ## train a reader (DATA START WEIGHTS DEVICE DEV READER); broken off, it goes on where it was
	$(BIN)/python -m eval.training.train_reader --data $(DATA) --start $(START) $(addprefix --weights ,$(WEIGHTS)) \
		--teacher $(START) --work $(READER) --device $(DEVICE)
	$(BIN)/python -m eval.training.export_reader $(READER)/checkpoint.pt --start $(START) --out $(READER)
	$(BIN)/python -m eval.training.calibrate $(DEV) eval/data/seeds --half seeds --together clapnq --reader $(READER) \
		$(addprefix --most ,$(MOST)) --work $(READER)/readings

examples: $(VENV)/installed-dev  ## record the examples of the API documentation: service/http/examples.json
	$(BIN)/python -m eval.benchmarks.examples

docs: $(VENV)/installed-dev  ## regenerate the generated parts of docs/
	$(BIN)/python -m tests.support.documentation

lock: $(VENV)/bin/python  ## regenerate requirements/ after a change in pyproject.toml (UPGRADE=--upgrade: newer versions too)
	$(PIP) install --quiet $(UV)
	$(BIN)/uv pip compile $(UPGRADE) --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --no-emit-package torch \
		pyproject.toml --output-file requirements/base.txt
	$(BIN)/uv pip compile $(UPGRADE) --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --no-emit-package torch \
		--extra dev --constraints requirements/base.txt \
		pyproject.toml --output-file requirements/dev.txt
	$(BIN)/uv pip compile $(UPGRADE) --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --no-emit-package torch \
		--extra peers --constraints requirements/base.txt \
		pyproject.toml --output-file requirements/peers.txt
	$(BIN)/uv pip compile $(UPGRADE) --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --no-emit-package torch \
		--extra scale --constraints requirements/dev.txt \
		pyproject.toml --output-file requirements/scale.txt

clean:  ## remove .venv, caches and build outputs; the index and runs/ stay
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find eval index prompts service tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c "pass" || { echo "There is no $(PYTHON). Install Python 3.11 or later, or choose one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "$$($(PYTHON) --version) is too old: Pincite needs 3.11 or later. Choose one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c "import venv, ensurepip" || \
		{ echo "$(PYTHON) cannot create virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Torch is installed after its dependencies, so that they keep their locked versions.
$(VENV)/installed: requirements/base.txt requirements/torch.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing about 80 packages, torch among them: a minute or two, the first time."
	$(LOCKED) --requirement requirements/base.txt
	$(PIP) install --quiet --only-binary :all: $(TORCH_OPTIONS) --requirement requirements/torch.txt
	$(PIP) install --quiet --no-deps --editable .
	$(PIP) check
	@touch $@

$(VENV)/installed-dev: requirements/dev.txt $(VENV)/installed
	$(LOCKED) --requirement requirements/dev.txt
	@touch $@

$(VENV)/installed-peers: requirements/peers.txt $(VENV)/installed
	$(LOCKED) --requirement requirements/peers.txt
	@touch $@
