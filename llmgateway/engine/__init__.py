"""The order of events: whose call it is, which target is tried, how often, and the one exit."""
