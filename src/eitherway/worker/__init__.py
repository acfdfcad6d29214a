"""The worker: receives jobs, keeps their leases, settles them, and reaps what others lost."""
