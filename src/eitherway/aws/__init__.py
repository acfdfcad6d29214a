"""`eitherway aws`: an app as API Gateway, Lambda, SQS and DynamoDB. It writes files, and calls nobody.

What runs inside the functions is `eitherway.lambdas`; where their records live, `eitherway.engines.aws`.
"""
