"""``lakekey doctor``: checks of the whole chain behind a profile, each failure with its one next step.

Nothing that a check finds is secret, so its output can be pasted into a ticket.
"""
