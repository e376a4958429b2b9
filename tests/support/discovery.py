"""Discovery without a network."""


class Finder:
    """Answers discovery, and counts how often it was asked."""

    def __init__(self, answer):
        self.asked = 0
        self.answer = answer

    def __call__(self):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer
