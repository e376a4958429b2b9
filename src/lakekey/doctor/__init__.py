"""Looking at the whole chain behind a profile: one check after the other, each failure with its one next step.

Nothing that a check finds is secret, so what it says can be pasted into a ticket.
"""

from lakekey.doctor.check import Check
from lakekey.doctor.examination import Examination, examine

__all__ = ["Check", "Examination", "examine"]
