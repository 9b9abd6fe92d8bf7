from songmood.pipeline import main

main("cluster")
