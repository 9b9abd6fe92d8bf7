"""Runs a pipeline of steps over tables, once for each change; it knows nothing of songs.

table.py        what a table is: name, key, columns, checks
settings.py     typed settings from YAML files and the command line
step.py         a step is a function: its parameters are what it reads, its result is what it writes
pipeline.py     the steps in order, checked against tables, models, inputs and settings
fingerprint.py  what a step's result depends on, as a hash
store.py        the warehouse: tables written once, and one file that names the published ones
seal.py         whether a file or folder of the warehouse is as it was written
alive.py        which runs are alive
garbage.py      what may be deleted from the warehouse
run.py          one run: reuse or do each step, and keep the manifest
upkeep.py       the steps publish and prune
cli.py          the command line
signals.py      how a run is interrupted
terminal.py     what a person sees
spark.py        the Spark session, and sending folders to executors
memory.py       the memory that a run takes
errors.py       errors as a person reads them
"""
