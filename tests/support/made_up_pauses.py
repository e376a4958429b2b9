"""A clock that only sleeping lets go on, and pauses that are written down, for what tries again and again."""


class Pauses:
    """Stands for `time` and `random` where something pauses between its tries.

    Attributes:
        now: The time, in seconds.
        slept: The pauses, in seconds.
        spread: What the pauses are multiplied by, at least and at most.
    """

    def __init__(self):
        self.now, self.slept, self.spread = 1000.0, [], set()

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def uniform(self, *bounds):
        self.spread.add(bounds)
        return 1.0
