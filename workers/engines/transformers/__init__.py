"""The engine over transformers: models in this process, on a CPU or GPUs."""
