"""A cascade: of a call with a stated accuracy a helper or a proxy answers where it is sure, and the model the rest."""
