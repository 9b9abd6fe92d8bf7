from songmood.pipeline import main

main("report")
