# Every target works in a fresh clone: the environment is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-full lint bench samples clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/pidreg fit sample_data/diabetes.parquet --modalities clinical,serum --target progression -o demo.pidreg --force

# A gate gives the same answer twice: made-up inputs are the same each time. test-full makes up others each time.
test: $(STAMP) lint
	PIDREG_FUZZ_SEED=$${PIDREG_FUZZ_SEED:-0} $(BIN)/python -m pytest -n 2 --dist worksteal --hypothesis-profile=ci -m 'not slow'

test-full: $(STAMP) lint
	$(BIN)/python -m pytest -n 2 --dist worksteal --hypothesis-profile=full
	$(BIN)/python -m pytest -n 2 --dist worksteal --hypothesis-profile=full -m 'not slow' \
	  tests/information tests/data tests/cli tests/contract \
	  --cov=pidreg_cli.information --cov=pidreg_cli.data --cov-fail-under=95

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run

samples: $(STAMP)
	$(BIN)/python sample_data/make_samples.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache demo.pidreg demo.pidreg.partial
