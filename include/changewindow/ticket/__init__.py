"""What somebody asks for: the ticket, its window, the plan that it makes, and the revision that is approved."""
