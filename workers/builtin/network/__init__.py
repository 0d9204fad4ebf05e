"""The network: encoding, decoding by beam search, weights."""
