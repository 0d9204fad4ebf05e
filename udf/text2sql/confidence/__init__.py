"""How sure an answer is: checks of SQL and its rows, votes, and a calibrated probability."""
