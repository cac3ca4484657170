"""A sweep's report: one HTML page that needs no network and explains itself to whoever did not run the sweep."""
