"""A commitment that notes what it is told."""


class NotedCommitment:
    """Commits to nothing.

    Attributes:
        made: The calls, and the seconds of each pause.
    """

    def __init__(self):
        self.made = []

    def commit(self):
        """Note it."""
        self.made.append("commit")

    def settled(self):
        """Note it."""
        self.made.append("settled")

    def pause(self, seconds):
        """Note how long it would be."""
        self.made.append(seconds)
