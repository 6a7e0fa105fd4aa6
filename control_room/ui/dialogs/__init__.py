"""Dialogs: forms made of fields, opened without holding up anything else."""
