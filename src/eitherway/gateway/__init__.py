"""The gateway: HTTP in front of operations and jobs."""
