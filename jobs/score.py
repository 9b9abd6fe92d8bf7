from songmood.pipeline import main

main("score")
