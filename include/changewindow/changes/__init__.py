"""What happens to a change during its life: asked for, published, applied, reported, put in order."""
