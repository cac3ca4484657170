"""What methods share. A part knows no method."""
