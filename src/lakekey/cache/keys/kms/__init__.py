"""Key rings wrapped by a key management service: the protocol, what we keep, and one file for each service."""
