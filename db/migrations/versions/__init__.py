"""One file per version of the schema, NNNN_name.py."""
