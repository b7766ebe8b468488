"""Kubernetes: client, resources, workloads, rollouts, jobs, and what is wrong when something does not start."""
