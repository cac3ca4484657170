"""From runs to rate-accuracy frontiers: loading, choosing, figures and tables."""
