"""When changes may run: maintenance windows, freezes, and the days on which neither holds.

`files` reads `calendar.yaml` with its iCalendar files as a `Schedule`; `objections` says what it has against a change;
`openings` says when the change could run instead. What the parts mean:

- An interval is half-open: a watch that ends when a freeze begins does not meet it.
- A window belongs to the day on which it begins, also when it ends on the next.
- A local time is read as RFC 5545, 3.3.5 says: one that clocks skip is read with the offset from before the change;
  one that occurs twice means the first. An occurrence that is left without any length does not happen.
- An occurrence lasts from its local start to its local end, as calendars draw it: a window from 22:00 to 02:00 ends at
  02:00 even in the night that is an hour longer or shorter.
"""
