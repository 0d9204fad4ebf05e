"""The command line: its arguments, options and output."""
