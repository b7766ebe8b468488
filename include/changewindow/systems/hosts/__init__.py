"""Hosts: a program or a file on this one, or on another over SSH."""
