from songmood.pipeline import main

main("reproduce")
