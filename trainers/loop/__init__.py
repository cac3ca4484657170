"""The training loop: runs all phases of one training, reports, and resumes from a checkpoint."""
