"""What the tests stand on: servers, people and certificates. Imported as ``support.…``."""
