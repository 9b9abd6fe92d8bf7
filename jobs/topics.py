from songmood.pipeline import main

main("topics")
