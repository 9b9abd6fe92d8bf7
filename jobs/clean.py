from songmood.pipeline import main

main("clean")
