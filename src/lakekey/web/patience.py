"""How long the portal waits for what may not come. Handed in where a test cannot wait as long."""

from typing import NamedTuple


class Patience(NamedTuple):
    """Seconds.

    Attributes:
        turn: That a request waits for its turn; then it is told to come again, and nothing was sent.
        turn_at_a_server: The same, where the turn is one at an authorization server.
        form: Within which a form has to be here; ours are small.
    """

    turn: float = 20.0
    turn_at_a_server: float = 10.0
    form: float = 30.0
