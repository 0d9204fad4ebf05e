"""What the model knows about its own answer: words that it cannot place, a confidence, reasons to decline."""
