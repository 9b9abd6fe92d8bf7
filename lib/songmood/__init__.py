"""songmood: moods and recommendations for the songs of the WASABI corpus, on Apache Spark."""

from zipimport import zipimporter

__version__ = "0.1.0"

# Spark's Python workers have PySpark's zip and Spark's jar on their path, and at each task Python below 3.12
# reads the lists of their files anew, once for every package (python/cpython#103200): 0.2 s a task. None
# of these files changes while a worker lives.
zipimporter.invalidate_caches = lambda self: None  # type: ignore[method-assign]
