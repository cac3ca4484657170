"""Tests that need Debian packages, a browser, real data or minutes: ``make test-system``."""
