from songmood.pipeline import main

main("enrich")
