"""The IPython extension and the example notebooks; a later version fills this folder."""
