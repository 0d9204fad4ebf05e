"""Models as GGUF files, and the modelfile of Ollama."""
