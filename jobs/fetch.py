from songmood.pipeline import main

main("fetch")
