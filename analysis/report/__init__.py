"""A sweep as one HTML page that needs no network and explains itself to somebody who did not run it."""
