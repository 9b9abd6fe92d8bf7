from songmood.pipeline import main

main("recommend")
