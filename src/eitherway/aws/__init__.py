"""`eitherway aws`: an app as API Gateway, Lambda, SQS and DynamoDB, written to files.

What runs inside the functions is `eitherway.lambdas`; where records live, `eitherway.engines.aws`.
"""
