from songmood.pipeline import main

main("embed")
