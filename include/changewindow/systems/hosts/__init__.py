"""Hosts: programs and files on the worker, or on another host over SSH."""
