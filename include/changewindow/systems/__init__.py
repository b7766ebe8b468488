"""The outside world: each system that steps change and sources ask, with what it takes to reach it."""
