"""The engine on DynamoDB and SQS: `aws://REGION[/PREFIX]` (extra `aws`)."""
