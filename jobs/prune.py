from songmood.pipeline import main

main("prune")
