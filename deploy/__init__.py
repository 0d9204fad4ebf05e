"""What runs quackllm from outside Python: the command line and the demo."""
