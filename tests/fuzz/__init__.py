"""Throws mutated input at whatever reads what others have written: requests, tickets, policies and answers."""
