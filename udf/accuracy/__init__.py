"""A stated accuracy and how it is kept: tests by sampling, and a proxy that learns from the model's answers."""
