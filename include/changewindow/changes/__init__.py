"""What happens to a change during its life: requested, published, applied, reported, tidied up."""
