"""What a killed server, a power cut, a full disk and a read-only folder leave behind: run with `make faults`.

The real server works over a real home, and everything it does to the disk is a numbered step at which it can be
stopped. Nothing of this is in the product: `steps` wraps what Python offers for touching a disk, in the processes
that the harness starts. It lies with the tests because it proves rather than measures, and shares their server, their
pictures and their idea of what is consistent.
"""
