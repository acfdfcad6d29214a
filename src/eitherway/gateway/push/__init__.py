"""Push: events of jobs as they happen, over Server-Sent Events and WebSocket."""
