"""The engine on DynamoDB and SQS. Where to read what:

- `engine`, `operated`: the contract's methods, each a call of a module below; `able`: its limits.
- `url`, `names`, `tables`: what a stack is called and made of. Pure: stacks are built of them, too.
- `opening`, `core`, `store`: an open engine, its parts, and the way to AWS (threads, errors).
- `rows`, `codec`, `parts`: a job as a row, as an item, and what is large of it.
- `writes`: conditional writes, one or a transaction, which everything below commits by.
- `accept`, `cancel`, `extend`, `settle`, `letters`, `purge`: a job's ways from row to row.
- `waiting`, `receive`, `taking`: finding jobs and claiming them, by an index and by hints.
- `hints`, `polls`, `queues`: SQS, which wakes and spreads.
- `sweep`, `overdue`: what somebody should look at in time.
- `limits`, `blocks`, `limit_use`: places and starts over all processes.
- `keys`, `key_images`, `repeats`: idempotency keys; `items`, `buckets`: tables, their capacity.
- `events`, `stream`, `cursors`: the log; `channels`: WebSocket connections.
- `counters`, `mending`, `statistics`, `listing`, `pauses`, `reads`, `deployed`: what is asked.
"""
