"""The search of a sweep: its space and goals, the searchers that propose trials, the schedulers that stop them."""
