"""The HTTP/1.1 server: uvicorn, within bounds of size, time and number."""
