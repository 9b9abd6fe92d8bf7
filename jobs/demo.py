from songmood.pipeline import main

main("demo")
