"""What all figures share: colours, markers, axes, legends, pictures, and the page around an interactive plot."""
