from songmood.pipeline import main

main("text")
