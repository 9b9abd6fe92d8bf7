"""songmood: moods and recommendations for the songs of the WASABI corpus, on Apache Spark."""

__version__ = "0.1.0"
