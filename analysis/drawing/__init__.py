"""What every figure shares: ink, colours, markers, axes, legends, the page around a plot."""
