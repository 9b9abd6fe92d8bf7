"""The steps, one file or folder each; songmood.pipeline lists them in order.

A step's module imports what takes seconds to import (torch, scikit-learn, gensim) inside its functions, so
that a wrong command is refused at once.
"""
