"""Spark's Python workers, forked from a process that has imported what they need.

Spark forks each worker from a daemon that has imported nothing. So each worker takes two seconds to import
pandas, pyarrow and songmood, and a step on a small table has half a dozen of them. spark-submit.sh names this
module as `spark.python.daemon.module` on one machine. On a cluster songmood arrives with the tasks, so there
Spark's own daemon serves.
"""

from __future__ import annotations

from pyspark import daemon

import songmood.pipeline  # noqa: F401

if __name__ == "__main__":
    daemon.manager()  # type: ignore[no-untyped-call]
