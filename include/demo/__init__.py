"""A small real system on which two real changes can be executed, one harmless, one 'just a number'."""
