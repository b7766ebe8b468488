"""What somebody asks for: the ticket, its window, the plan made from it, and the revision that is approved."""
