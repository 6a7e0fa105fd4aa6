"""Reusable Qt widgets of the control room: they take samples, alarms and networks, never a bus or a database."""
