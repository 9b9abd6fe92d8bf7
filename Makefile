# ./spark-submit.sh --exec runs a command in .venv; the first use makes it, with the packages for development.
IN := ./spark-submit.sh --exec
PYTHON_CODE := lib jobs tests bench setup.py
COMPILE := uv pip compile --quiet --universal --python-version 3.10 --custom-compile-command "make lock" $(ARGS)

# The tests of a file stay in one process, because they share what is slow to make.
PYTEST := python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: test test-fast check coverage lock docs bench bench-funnel bench-retrieval bench-score reproduce package

test: check            ## style, types, imports and every test
	$(IN) $(PYTEST)

test-fast:             ## all tests but the whole runs
	$(IN) $(PYTEST) -m "not slow"

check:                 ## style, types and imports
	$(IN) ruff check $(PYTHON_CODE)
	$(IN) ruff format --check $(PYTHON_CODE)
	$(IN) mypy
	$(IN) lint-imports --no-logo

coverage:              ## the share of lines and branches that the tests run
	$(IN) $(PYTEST) --cov --cov-report=term:skip-covered

lock:                  ## renew the lock files after a change of setup.py; all versions: make lock ARGS=--upgrade
	$(IN) $(COMPILE) setup.py -o requirements.lock
	$(IN) $(COMPILE) --extra dev -c requirements.lock setup.py -o requirements-dev.lock

docs:                  ## renew the documents that are generated from the code
	$(IN) python -m songmood.documents

bench:                 ## seconds, rows, peak memory and growth of each step
	$(IN) python bench/steps.py $(ARGS)

bench-funnel:          ## ingest, filter and dedupe of up to 1.7 million songs, compared with Splink and others
	$(IN) python bench/funnel.py $(ARGS)

bench-retrieval:       ## the index and all songs' recommendations, compared with bm25s
	$(IN) python bench/retrieval.py $(ARGS)

bench-score:           ## encoding lyrics, compared with sentence-transformers: make bench-score ARGS="--lyrics TABLE"
	$(IN) python bench/score.py $(ARGS)

reproduce:             ## the paper's table 1, with folds, seeds and grids: make reproduce ARGS="--set paths.corpus=DIR"
	./spark-submit.sh all --until topics $(ARGS)
	./spark-submit.sh reproduce $(ARGS)

package:               ## the zip that executors receive
	./spark-submit.sh --package
