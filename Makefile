# ./spark-submit.sh --exec sets up what a command needs on first use.
IN := ./spark-submit.sh --exec

.PHONY: test test-fast check reproduce bench bench-funnel package

# a file's tests stay together, for they share what is slow to make; files as they come: the longest first
PYTEST := python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: check            ## style, types and every test
	$(IN) $(PYTEST)

test-fast:             ## without the whole runs
	$(IN) $(PYTEST) -m "not slow"

check:                 ## style and types
	$(IN) ruff check lib jobs tests setup.py
	$(IN) ruff format --check lib jobs tests setup.py
	$(IN) mypy

reproduce:             ## the paper's table 1, with folds, seeds and grids: make reproduce ARGS="--set paths.corpus=DIR"
	./spark-submit.sh all --until topics $(ARGS)
	./spark-submit.sh reproduce $(ARGS)

bench:                 ## seconds, rows, peak memory and growth of each step
	$(IN) python tests/bench.py

bench-funnel:          ## ingest, filter and dedupe up to 1.7 million songs, beside Splink and others
	$(IN) python tests/bench_funnel.py

package:               ## the zip that executors get
	./spark-submit.sh --package
