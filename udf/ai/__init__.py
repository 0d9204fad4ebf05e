"""The typed functions: what is asked, in which words, and how an answer becomes a value of its type or a reason."""
