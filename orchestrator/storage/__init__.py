"""What a sweep leaves: its journal, on a disk, in a bucket or in memory; and which process holds the sweep."""
