"""Wire formats: how each is read, asked for usage, ended and told of errors. Pure, no I/O."""
