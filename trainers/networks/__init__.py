"""What any network is asked, whatever its architecture: names of its tensors, its norms, whether two compute alike."""
