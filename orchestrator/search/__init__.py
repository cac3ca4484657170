"""What a sweep may try, what it is after, and what proposes and stops its trials."""
