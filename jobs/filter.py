from songmood.pipeline import main

main("filter")
