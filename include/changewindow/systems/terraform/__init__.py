"""Terraform and OpenTofu: a workspace and its state."""
