"""What may run: SQL taken out of an answer, guarded, bound and transpiled."""
