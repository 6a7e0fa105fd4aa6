"""The views: one file each, found by its SPEC."""
