from songmood.pipeline import main

main("label")
