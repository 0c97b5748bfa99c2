"""The HTTP contract without a framework: routes, headers, bodies, answers."""
