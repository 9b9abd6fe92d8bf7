from songmood.pipeline import main

main("train")
