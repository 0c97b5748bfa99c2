"""The only outbound I/O of the package: one seam, and the transports behind it."""
