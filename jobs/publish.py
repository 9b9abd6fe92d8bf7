from songmood.pipeline import main

main("publish")
