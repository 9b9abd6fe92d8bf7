from songmood.pipeline import main

main("ingest")
