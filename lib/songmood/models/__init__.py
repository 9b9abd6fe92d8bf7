"""The mood models (paper 4), behind one interface. songmood/catalog.py lists them: read it first.

base.py           what every model does
baselines.py      the models to beat: majority, naive Bayes, logistic regression on TF-IDF
neural.py         the neural models: parts of a song, and a net over them
heads.py          the nets over the parts of a song
tuning.py         fine-tuning the encoder, its lower layers computed once
trainer.py        training a net
parts.py          the parts of a song as numbers: topics, audio features
linear.py         the parts that a logistic regression makes: from words, embedding and lexicon
lexicon.py        how happy or sad the words are by a published list
songs.py          the songs that models learn from, with all that models see of them
splits.py         training, validation and test songs
comparison.py     training and measuring the models of one run
evaluate.py       the figures of a model
card.py, files.py the model card and the other files of a saved model
scoring.py        the mood of every song, on executors
reproduction.py   many folds and seeds; table1.py: the tables of their figures
"""
