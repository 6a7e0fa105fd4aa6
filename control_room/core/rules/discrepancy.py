"""Discrepancy alarms: the feedback does not follow the command."""


def differs(command: float, feedback: float) -> bool:
    """Return whether the states differ; the time that a machine needs to obey is the rule's on-delay (ISA-18.2, 10.5)."""
    return round(command) != round(feedback)
