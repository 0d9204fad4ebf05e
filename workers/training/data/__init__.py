"""Training data: chat-form files, tokens and labels."""
