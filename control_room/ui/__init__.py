"""The seat's windows: what a person sees and does."""
