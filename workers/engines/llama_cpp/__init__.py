"""The engine over llama.cpp's server: GGUF files."""
