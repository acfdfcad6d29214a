"""What runs in AWS Lambda: one handler for each kind of event, around the app's ordinary doors.

`http.handler`, `queue.handler`, `dead.handler`, `sweeper.handler`, `stream.handler` and
`socket.handler`; which app it is says `EITHERWAY_APP`.
"""
