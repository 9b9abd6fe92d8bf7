from songmood.pipeline import main

main("index")
